"""The VTN's settings: a TOML file, and environment variables that override it.

``OPENADR_VTN_PARTIES__PORT`` is ``port`` of the table ``[parties]``. Paths in the file are relative to it.
``openadr-vtn init`` writes a commented file; ``openadr-vtn check`` names a setting that is wrong.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, IPvAnyNetwork, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from openadr_core.errors import ConfigError
from openadr_core.limits import (
    CONNECTIONS_MAX,
    CONNECTIONS_PER_ADDRESS_MAX,
    CONNECTIONS_PER_MINUTE_MAX,
    PUSHES_IN_FLIGHT_MAX,
    REQUESTS_IN_FLIGHT_MAX,
    SIGNATURE_AGE_MAX_S,
)
from openadr_core.model.availability import OptRules, Precedence
from openadr_core.model.opt import OptType
from openadr_core.model.party import SignatureRule
from openadr_core.oadr3.opt_rules import ALLOWED, OVERLAP
from openadr_core.shell.settings_file import FileSettings, Table, read_settings
from openadr_core.shell.turnstile import ConnectionLimits

ENVIRONMENT_PREFIX = "OPENADR_VTN_"

Positive = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""What a token of somebody else's may be signed with: asymmetric ones alone (security T17)."""


class CertificateSettings(Table):
    certificate: Path
    """PEM: ours first, then its authorities without the root."""
    key: Path


class VtnSettings(Table):
    id: str = Field(default="VTN-1", pattern=r"^[A-Za-z0-9_.:-]{1,128}$")
    """The vtnID in every 2.0b message. Some VENs compare it with the case of its letters, some do not."""


class Listener(Table):
    """Who may connect, before a handshake is paid for (security T36); whoever is beyond that is reset."""

    connections_max: Annotated[int, Field(ge=1)] = CONNECTIONS_MAX
    connections_per_address: Annotated[int, Field(ge=1)] = CONNECTIONS_PER_ADDRESS_MAX
    connections_per_minute: Annotated[int, Field(ge=1)] = CONNECTIONS_PER_MINUTE_MAX
    """New ones, from one address."""

    @property
    def connection_limits(self) -> ConnectionLimits:
        return ConnectionLimits(
            at_once=self.connections_max,
            at_once_per_address=self.connections_per_address,
            per_minute_per_address=self.connections_per_minute,
        )


class PartiesSettings(Listener):
    """Where VENs connect: OpenADR 2.0b over mutual TLS."""

    host: str = "127.0.0.1"
    port: Port = 8443
    profile: Literal["modern-2.0b", "certification-2.0b"] = "modern-2.0b"
    certificates: tuple[CertificateSettings, ...] = Field(min_length=1)
    """OpenADR 2.0b 10.1 wants an RSA and an ECC one of every VTN; one is enough for VENs that take it."""
    trust: tuple[Path, ...] = Field(min_length=1)
    """Authorities whose VEN certificates may knock. They are let in one by one, by an operator."""
    poll_interval_s: Annotated[float, Field(ge=1, le=86_400)] = 10.0
    """What a VEN is told to poll at; whole seconds."""
    requests_max: Annotated[int, Field(ge=1)] = REQUESTS_IN_FLIGHT_MAX
    """Requests that are answered at a time; who comes beyond that is told to come again (HTTP 503)."""
    signatures: SignatureRule = SignatureRule.ACCEPT
    """XML signatures, where the operator makes no other rule for a party (OpenADR 2.0b 10.6)."""
    signature_age_max_s: Annotated[int, Field(ge=5, le=3600)] = SIGNATURE_AGE_MAX_S
    """How far the time in a signature may be from ours, both ways: what clocks are off, and what the way takes."""
    prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = ""
    """What our address has before /OpenADR2; a VEN on the same address must have another (R511)."""


class PushSettings(Table):
    """How VENs are reached that registered to be pushed to (OpenADR 2.0b 9.1.2): we are their client then."""

    networks: tuple[IPvAnyNetwork, ...] = ()
    """Where such a VEN may be besides the public Internet. Its address is its own word: it must not lead us astray."""
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = (443, 8443)
    timeout_s: Annotated[float, Field(ge=5)] = 10.0
    """OpenADR 2.0b 9.1.6: at least five seconds."""
    retry_max_s: Annotated[float, Field(ge=1)] = 60.0
    """The longest pause before a VEN that does not answer is tried again; the first is a second."""
    parties_at_once: Annotated[int, Field(ge=1)] = PUSHES_IN_FLIGHT_MAX


class WebhookSettings(Table):
    """How clients of OpenADR 3 are told of changes at the addresses that they name (subscriptions)."""

    networks: tuple[IPvAnyNetwork, ...] = ()
    """Where such an address may lead besides the public Internet: it is a client's own word."""
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = (443, 8443)
    trust: tuple[Path, ...] = ()
    """Authorities that sign receivers' certificates, besides those that this machine trusts."""
    timeout_s: Annotated[float, Field(ge=1, le=60)] = 10.0
    """OpenADR 3.1 recommends 10 to 30 seconds."""
    retry_max_s: Annotated[float, Field(ge=1)] = 300.0
    """The longest pause before a receiver that does not answer is tried again; the first is a second."""
    attempts_max: Annotated[int, Field(ge=1)] = 30
    """Then a notification is put aside as a dead letter, which an operator can have sent again."""
    at_once: Annotated[int, Field(ge=1)] = 200
    """Receivers that are told something at the same time."""
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 30
    """What happened longer ago is forgotten, and who was told of it; dead letters too."""


class MqttSettings(Table):
    """The broker on which clients of OpenADR 3 are told of changes; without this table there is none."""

    url: str = Field(pattern=r"^mqtts://[^/@:\s]+(:[0-9]{1,5})?$")
    """Where we reach it. OpenADR 3.1 wants TLS."""
    uris: tuple[str, ...] = ()
    """Where clients reach it, if elsewhere."""
    trust: tuple[Path, ...] = ()
    """Authorities that sign the broker's certificate, besides those that this machine trusts."""
    certificate: CertificateSettings | None = None
    """Ours for the broker, if it asks for one."""
    username: str | None = None
    password: str | None = None
    client_id: str = Field(default="openadr-vtn", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Who we are at the broker, and in its access list."""
    authentication: Literal["ANONYMOUS", "OAUTH2_BEARER_TOKEN", "CERTIFICATE"] = "OAUTH2_BEARER_TOKEN"
    """What clients are told to authenticate with."""
    client_username: str = "{clientID}"
    """The user name that goes with a bearer token: these letters stand for the client's own id."""
    client_authority: CertificateSettings | None = None
    """Signs the certificates that are handed out to clients, for CERTIFICATE."""
    client_days: Annotated[int, Field(ge=1, le=825)] = 30
    """How long such a certificate is good."""

    @property
    def told_uris(self) -> tuple[str, ...]:
        return self.uris or (self.url,)

    @model_validator(mode="after")
    def _an_authority_for_certificates(self) -> Self:
        if self.authentication == "CERTIFICATE" and self.client_authority is None:
            raise ValueError("client_authority is needed, for certificates to be handed out")
        return self


class OperatorSettings(Listener):
    """Where the operator's systems and the command line connect: TLS with bearer tokens."""

    host: str = "127.0.0.1"
    port: Port = 8444
    certificates: tuple[CertificateSettings, ...] = Field(min_length=1)
    client_trust: tuple[Path, ...] = ()
    """If set, a client must bring a certificate of these authorities too."""
    token_lifetime_s: Annotated[int, Field(ge=60, le=86_400)] = 3600
    token_failures_per_minute: Annotated[int, Field(ge=1)] = 30
    """From one address; then it must wait. Who does not fail is never held up."""


class IdentityProviderSettings(Table):
    """Who issues tokens to clients of OpenADR 3, if it is not this VTN."""

    issuer: str = Field(min_length=1)
    """What its tokens name as their issuer, to the letter."""
    audience: str = Field(min_length=1)
    """What its tokens name as their audience, if they are meant for this VTN."""
    token_url: str = Field(pattern=r"^https://")
    """Where clients get tokens: what we answer at /auth/server."""
    keys_url: str = Field(pattern=r"^https://")
    """Its JSON Web Key Set (jwks_uri)."""
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256"), min_length=1)
    client_claims: tuple[str, ...] = Field(default=("client_id", "azp", "sub"), min_length=1)
    """The first that a token has tells the clientID."""
    scope_claims: tuple[str, ...] = Field(default=("scope", "scp", "roles"), min_length=1)
    """Texts of words, or lists of them; all count."""
    networks: tuple[IPvAnyNetwork, ...] = ()
    """Where it may be besides the public Internet."""
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = (443, 8443)
    trust: tuple[Path, ...] = ()
    """Authorities that sign its certificate, besides those that this machine trusts."""


class Oadr3Settings(Listener):
    """Where clients of OpenADR 3 connect, VENs and business logic: TLS, bearer tokens, a certificate if they like."""

    host: str = "127.0.0.1"
    port: Port = 8445
    certificates: tuple[CertificateSettings, ...] = ()
    """Without one nothing listens here: OpenADR 3 is served where operators connect alone."""
    client_trust: tuple[Path, ...] = ()
    """Authorities of client certificates. A client may show one, and is bound to it then; none is asked for without."""
    requests_per_minute: Annotated[int, Field(ge=1)] = 6_000
    """Of one client; then it is told to wait (429). Where operators connect nobody is."""
    strict_targets: bool = False
    """Whether a VEN's lists hold programs and events with targets only if its query names them."""
    identity_provider: IdentityProviderSettings | None = None
    """If set, its tokens count here, and this VTN's own do not."""


class ConsoleSettings(Table):
    """The operator's pages, /health and /metrics: plain HTTP, so on loopback alone."""

    host: str = "127.0.0.1"
    port: Port = 8081

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        if host != "localhost" and not _is_loopback(host):
            raise ValueError("must be a loopback address: put a proxy with TLS before it to reach it from elsewhere")
        return host


class StoreSettings(Table):
    url: str = "sqlite:///vtn.db"
    """``sqlite:///path`` or ``postgresql://user@host/database``."""
    secret_keys: tuple[Path, ...] = ()
    """Files with keys that seal the secrets in it (``openadr-vtn store key``): the first seals, all of them open."""


class ReportSettings(Table):
    """What VENs are asked to report, as near as they can do it."""

    granularity_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    """The length of one interval of data."""
    report_back_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    """How often a report is sent."""
    status_back_s: Annotated[int, Field(ge=0, le=86_400)] = 300
    """How often each says how its resources stand; 0: never."""
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 400
    """What was measured longer ago is forgotten, so that the store does not grow for ever."""

    @model_validator(mode="after")
    def _whole_intervals(self) -> Self:
        if self.report_back_s % self.granularity_s:
            raise ValueError("report_back_s must be a multiple of granularity_s")
        return self


class OptSettings(Table):
    """Rules for opt schedules under programs that declare none of their own (2.0b R201)."""

    schedules: Literal["both", "optIn", "optOut", "none"] = "both"
    """Which types of schedule a party may make."""
    default: Literal["optIn", "optOut"] = "optIn"
    """What holds where nothing is said."""
    precedence: Literal["optOut", "optIn", "newest"] = "optOut"
    """Which counts where an optIn and an optOut speak of the same moment."""
    overlap: Literal["allowed", "refused"] = "allowed"
    """Stretches of one schedule that overlap each other."""

    @property
    def rules(self) -> OptRules:
        return OptRules(
            allowed=ALLOWED[self.schedules],
            default=OptType(self.default),
            precedence=Precedence(self.precedence),
            overlap=OVERLAP[self.overlap],
        )


class Sep2NotificationSettings(Table):
    """How subscribers of IEEE 2030.5 are told of changes at the addresses that they name; we are their client then."""

    networks: tuple[IPvAnyNetwork, ...] = ()
    """Where such an address may lead besides the public Internet: it is a client's own word."""
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = (443, 8443)
    trust: tuple[Path, ...] = ()
    """Authorities that sign receivers' certificates, besides those of devices."""
    timeout_s: Annotated[float, Field(ge=1, le=60)] = 10.0
    retry_max_s: Annotated[float, Field(ge=1)] = 1800.0
    """The longest pause before a receiver that does not answer is tried again; the first is a second."""
    attempts_max: Annotated[int, Field(ge=1)] = 30
    """Then it is given up, until the next change, or until an operator has it sent again."""
    at_once: Annotated[int, Field(ge=1)] = 200
    """Receivers that are told something at the same time."""
    renewed_within_h: Annotated[int, Field(ge=1)] = 36
    """A subscription that is not renewed for so long is dropped; clients renew every day."""


class Sep2Settings(Listener):
    """Where IEEE 2030.5 clients connect (CSIP, CSIP-AUS); without this table nobody listens for them."""

    host: str = "127.0.0.1"
    port: Port = 8446
    profile: Literal["sep2-strict", "sep2-compat"] = "sep2-strict"
    """strict: the one suite that the standard wants, CCM-8; compat: AES-GCM too."""
    certificates: tuple[CertificateSettings, ...] = Field(min_length=1)
    trust: tuple[Path, ...] = Field(min_length=1)
    """The roots (SERCA) whose devices may knock; several, if need be. They are let in one by one, by an operator."""
    client_certificates: Literal["standard", "any"] = "standard"
    """standard: only those with the standard's policies, names and uses; any: whatever those roots have signed."""
    pen: Annotated[int, Field(gt=0, le=99_999_999)]
    """The utility's Private Enterprise Number: what mRIDs end in."""
    pen_form: Literal["decimal", "hex"] = "decimal"
    """As CSIP-AUS reads it, or as the standard's letter has it."""
    csipaus: Literal["none", "1.2", "1.3"] = "1.2"
    """What is spoken at /dcap; all three are spoken at /csip/dcap, /csipaus-1.2/dcap and /csipaus-1.3/dcap."""
    time_zone: str = "UTC"
    """An IANA name, for Time's offsets."""
    in_band: bool = True
    """Whether devices may register themselves, and aggregators theirs, once their certificate is let in."""
    shows_registration: bool = True
    """Whether a device may read its PIN."""
    lab_clock: bool = False
    """For laboratories: an operator may move the time that 2030.5 goes by, and clients are told so (quality 7)."""
    notifications: Sep2NotificationSettings = Sep2NotificationSettings()

    @property
    def is_strict(self) -> bool:
        """Whether the standard's rules for certificates are looked at."""
        return self.client_certificates == "standard"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, ZoneInfoNotFoundError):
            raise ValueError("is no time zone that this machine knows") from None
        return name


class GuardSettings(Table):
    """What no event may ask for, however it was typed."""

    event_max_kw: Positive
    step_max_kw: Positive


class LogSettings(Table):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(FileSettings):
    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    parties: PartiesSettings
    operator: OperatorSettings
    guard: GuardSettings
    """Required: the utility must have said what an event may ask for at most."""
    vtn: VtnSettings = VtnSettings()
    sep2: Sep2Settings | None = None
    push: PushSettings = PushSettings()
    webhooks: WebhookSettings = WebhookSettings()
    mqtt: MqttSettings | None = None
    console: ConsoleSettings = ConsoleSettings()
    store: StoreSettings = StoreSettings()
    reports: ReportSettings = ReportSettings()
    oadr3: Oadr3Settings = Oadr3Settings()
    opts: OptSettings = OptSettings()
    log: LogSettings = LogSettings()


def load(path: Path) -> Settings:
    """The settings in this file, as the environment overrides them; ConfigError names each wrong one."""
    settings = read_settings(Settings, path, written_by="openadr-vtn init")
    return _placed(settings, path.resolve().parent)


def _placed(settings: Settings, folder: Path) -> Settings:
    """With every path made absolute against the file's folder, and each file seen to be there."""
    parties, operator, store = settings.parties, settings.operator, settings.store
    store = store.model_copy(update={"secret_keys": _files(folder, "store.secret_keys", store.secret_keys)})
    if store.url.startswith("sqlite:///"):
        store = store.model_copy(update={"url": f"sqlite:///{folder / store.url.removeprefix('sqlite:///')}"})
    sep2 = settings.sep2
    if sep2 is not None:
        placed = {
            "certificates": _chains(folder, "sep2", sep2.certificates),
            "trust": _files(folder, "sep2.trust", sep2.trust),
            "notifications": sep2.notifications.model_copy(
                update={"trust": _files(folder, "sep2.notifications.trust", sep2.notifications.trust)}
            ),
        }
        sep2 = sep2.model_copy(update=placed)
    return settings.model_copy(
        update={
            "sep2": sep2,
            "parties": parties.model_copy(
                update={
                    "certificates": _chains(folder, "parties", parties.certificates),
                    "trust": _files(folder, "parties.trust", parties.trust),
                }
            ),
            "operator": operator.model_copy(
                update={
                    "certificates": _chains(folder, "operator", operator.certificates),
                    "client_trust": _files(folder, "operator.client_trust", operator.client_trust),
                }
            ),
            "webhooks": settings.webhooks.model_copy(
                update={"trust": _files(folder, "webhooks.trust", settings.webhooks.trust)}
            ),
            "oadr3": _placed_oadr3(settings.oadr3, folder),
            "mqtt": None if settings.mqtt is None else _placed_mqtt(settings.mqtt, folder),
            "store": store,
        }
    )


def _placed_oadr3(oadr3: Oadr3Settings, folder: Path) -> Oadr3Settings:
    provider = oadr3.identity_provider
    if provider is not None:
        trust = _files(folder, "oadr3.identity_provider.trust", provider.trust)
        provider = provider.model_copy(update={"trust": trust})
    return oadr3.model_copy(
        update={
            "certificates": _chains(folder, "oadr3", oadr3.certificates),
            "client_trust": _files(folder, "oadr3.client_trust", oadr3.client_trust),
            "identity_provider": provider,
        }
    )


def _placed_mqtt(mqtt: MqttSettings, folder: Path) -> MqttSettings:
    pairs = {"certificate": mqtt.certificate, "client_authority": mqtt.client_authority}
    placed: dict[str, object] = {
        name: _chains(folder, f"mqtt.{name}", (pair,))[0] for name, pair in pairs.items() if pair is not None
    }
    return mqtt.model_copy(update={**placed, "trust": _files(folder, "mqtt.trust", mqtt.trust)})


def _chains(folder: Path, table: str, certificates: tuple[CertificateSettings, ...]) -> tuple[CertificateSettings, ...]:
    placed = []
    for index, pair in enumerate(certificates):
        where = f"{table}.certificates.{index}"
        (certificate,) = _files(folder, f"{where}.certificate", (pair.certificate,))
        (key,) = _files(folder, f"{where}.key", (pair.key,))
        placed.append(CertificateSettings(certificate=certificate, key=key))
    return tuple(placed)


def _files(folder: Path, setting: str, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    for path in paths:
        if not (folder / path).is_file():
            raise ConfigError(f"{setting}: {folder / path} is not there")
    return tuple(folder / path for path in paths)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
