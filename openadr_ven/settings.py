"""The agent's settings: a TOML file, and environment variables that override it.

``OPENADR_VEN_VTN__URL`` is ``url`` of the table ``[vtn]``. Paths in the file are relative to it.
``openadr-ven init`` writes a commented file; ``openadr-ven check`` names a setting that is wrong.
"""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from openadr_core.errors import ConfigError
from openadr_core.limits import SIGNATURE_AGE_MAX_S
from openadr_core.model.availability import Precedence
from openadr_core.model.opt import OptType
from openadr_core.model.party import SignatureRule
from openadr_core.sep2.mrid import is_pin
from openadr_core.shell.settings_file import FileSettings, Table, read_settings

ENVIRONMENT_PREFIX = "OPENADR_VEN_"
FINGERPRINT_HEX_CHARS = 64
REASONS = {
    "envelope": "missing: the agent does not start without a safety envelope; `openadr-ven init` writes a cautious one"
}
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

T = TypeVar("T", bound=Table)

Positive = Annotated[float, Field(gt=0)]
PositiveWatts = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def plain_fingerprints(fingerprints: tuple[str, ...]) -> tuple[str, ...]:
    """Without colons, in lower case; ValueError for what is none."""
    plain = tuple(one.replace(":", "").lower() for one in fingerprints)
    if any(len(one) != FINGERPRINT_HEX_CHARS or set(one) - set("0123456789abcdef") for one in plain):
        raise ValueError("each is the SHA-256 of a certificate: 64 hex digits (openadr-ven fingerprint vtn.pem)")
    return plain


Fingerprints = Annotated[tuple[str, ...], AfterValidator(plain_fingerprints)]


def _origin(wanted: str) -> AfterValidator:
    """Somebody else's server, without a path; what else is said must be ``wanted``."""

    def check(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"must be {wanted}")
        return url.removesuffix("/")

    return AfterValidator(check)


def _address(wanted: str) -> AfterValidator:
    """How somebody else reaches us; what else is said must be ``wanted``."""

    def check(address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError(f"must be {wanted}")
        return address

    return AfterValidator(check)


class VtnSettings(Table):
    url: str
    certificate: Path
    key: Path
    trust: Path
    fingerprints: Fingerprints = Field(min_length=1, max_length=4)
    """SHA-256 of the VTN's certificates: an RSA and an ECC one (2.0b R68), and of each the next, before it changes."""
    ven_name: str = ""
    ven_id: str = ""
    """The venID that was agreed on with the utility; empty: it gives us one (OpenADR 2.0b R402)."""
    registration_id: str = ""
    """A registration that was agreed on too, under that venID: we do not register then (R405)."""
    report_only: bool = False
    """Reports, and no events (7.2.2)."""
    profile: Literal["modern-2.0b", "certification-2.0b"] = "modern-2.0b"
    poll_interval_s: Annotated[float, Field(ge=0.001)] = 10.0
    """OpenADR 2.0b 9.1.8: to the millisecond. The VTN may ask for a longer one, never for a shorter."""
    poll_jitter: Share = 0.0
    """Up to this share of the interval is waited besides, so that VENs that start together drift apart."""
    timeout_s: Annotated[float, Field(ge=5)] = 10.0
    """OpenADR 2.0b 9.1.6: at least five seconds."""
    compressed: bool = False
    """Ask the VTN to compress its answers (9.1.9.1), where the line is worth more than the computing."""
    signatures: SignatureRule = SignatureRule.OFF
    """XML signatures (OpenADR 2.0b 10.6). With ``accept`` we sign, and take unsigned answers too."""
    signature_age_max_s: Annotated[int, Field(ge=5, le=3600)] = SIGNATURE_AGE_MAX_S
    """How far the time in the VTN's signatures may be from ours, both ways."""
    enrolment_retry_s: Positive = 5.0
    """How long an agent waits that is not approved yet, or was cancelled (R401), before it registers again."""

    @model_validator(mode="after")
    def _registered_as_somebody(self) -> Self:
        if self.registration_id and not self.ven_id:
            raise ValueError("registration_id goes with the ven_id that was agreed on")
        return self

    @field_validator("url")
    @classmethod
    def _over_tls(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError("must be https://host[:port]/[prefix/]")
        return url.removesuffix("/").removesuffix("/OpenADR2/Simple/2.0b")


class WebhookSettings(Table):
    """Where a VTN of OpenADR 3 tells us of changes; polling goes on behind it."""

    address: Annotated[str, _address("https://host[:port]/path")]
    """How the VTN reaches us: ``https://host[:port]/path``."""
    certificate: Path
    """What we show there: one that the VTN trusts for the host of the address."""
    key: Path
    host: str = "0.0.0.0"  # noqa: S104  # the VTN comes from outside, and shows our token
    port: Annotated[int, Field(ge=0, le=65535)] = 8443


class BidSettings(Table):
    """What is bid when the VTN asks who would have capacity reserved beyond the subscription."""

    import_kw: Annotated[float, Field(ge=0)] = 0.0
    """0: nothing is bid for."""
    import_fee_max: Annotated[float, Field(ge=0)] = 0.0
    """The most for each kW, in the program's currency."""
    export_kw: Annotated[float, Field(ge=0)] = 0.0
    export_fee_max: Annotated[float, Field(ge=0)] = 0.0


class Oadr3VtnSettings(Table):
    """With this table the agent speaks OpenADR 3 instead of 2.0b, and ``[vtn]`` is not needed."""

    url: Annotated[str, _origin("https://host[:port]; the path of the API is base")]
    """``https://host[:port]``, without the path of the API."""
    base: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = "/openadr3/3.1.0"
    """The path of the API."""
    ven_name: str = Field(min_length=1, max_length=128)
    client_id: str = ""
    """Empty: the VTN wants no token."""
    client_secret_file: Path | None = None
    scope: str = ""
    """What to ask for; empty: all that we may."""
    certificate: Path | None = None
    """Ours, if the VTN asks for one."""
    key: Path | None = None
    trust: Path | None = None
    """The authority that signed the VTN's certificate; without it, those that this machine trusts."""
    fingerprints: Fingerprints = ()
    """SHA-256 of the VTN's certificates, if it shall be no other."""
    webhook: WebhookSettings | None = None
    """None: the VTN does not come to us."""
    broker: bool = True
    """Listen to the VTN's MQTT broker, if it has one."""
    bids: BidSettings = BidSettings()
    """Without it the agent bids for nothing."""
    profile: Literal["oadr3"] = "oadr3"
    poll_interval_s: Annotated[float, Field(ge=1)] = 10.0
    poll_jitter: Share = 0.1
    timeout_s: Annotated[float, Field(ge=1)] = 10.0
    enrolment_retry_s: Positive = 5.0

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if bool(self.client_id) != (self.client_secret_file is not None):
            raise ValueError("client_id and client_secret_file go together")
        if self.webhook is not None and self.base.endswith("/3.0.1"):
            raise ValueError("webhook goes with 3.1: a VTN of 3.0.1 is polled")
        return self


class Sep2NotificationSettings(Table):
    """Where a 2030.5 server tells us of changes; polling goes on behind it."""

    address: Annotated[str, _address("https://host[:port]/[path]"), AfterValidator(lambda said: said.removesuffix("/"))]
    """How the server reaches us: ``https://host[:port]/[path]``; a secret of ours is added."""
    host: str = "0.0.0.0"  # noqa: S104  # the server comes from outside, and shows its certificate
    port: Annotated[int, Field(ge=0, le=65535)] = 8443


class Sep2VtnSettings(Table):
    """With this table the agent speaks IEEE 2030.5 (CSIP, CSIP-AUS), and neither other table is needed."""

    url: Annotated[str, _origin("https://host[:port]; the path of DeviceCapability is dcap")]
    """``https://host[:port]``, without a path."""
    dcap: Annotated[str, Field(pattern=r"^/[!-~]*$")] = "/dcap"
    """Of DeviceCapability: the one address that a client is told."""
    csipaus: Literal["none", "1.2", "1.3"] = "1.2"
    """The Australian elements that the server speaks at that address."""
    certificate: Path
    key: Path
    trust: Path
    """The root (SERCA) of the server's certificate, or several in one file."""
    fingerprints: Fingerprints = ()
    """SHA-256 of the server's certificates, if it shall be no other; then its host name is not looked at."""
    profile: Literal["sep2-strict", "sep2-compat"] = "sep2-strict"
    """strict: ECDHE-ECDSA-AES128-CCM8 alone; compat: AES-GCM too, for servers behind a gateway that has no CCM."""
    pin: int | None = None
    """What the utility told us: a server that says another one is not followed."""
    pen: Annotated[int, Field(ge=0, le=99_999_999)] = 0
    """Our Private Enterprise Number: what the mRIDs of our mirrored meter end in."""
    post_rate_s: Annotated[int, Field(ge=1, le=1800)] = 300
    """How often we would post readings; the server's word counts."""
    in_band: bool = False
    """Register ourselves where the server does not know us yet."""
    notifications: Sep2NotificationSettings | None = None
    """None: the server does not come to us."""
    nmi: Annotated[str, Field(max_length=32)] = ""
    """Of our own connection point (CSIP-AUS); empty: nothing is said of it."""
    devices: Path | None = None
    """A .csv of the devices that we answer for besides ourselves: ``lfdi``, and ``name``, the fleet's own; where
    their connection points are to be told, ``nmi``."""
    poll_jitter: Share = 0.1
    timeout_s: Annotated[float, Field(ge=1)] = 10.0
    enrolment_retry_s: Positive = 60.0

    @field_validator("pin")
    @classmethod
    def _checked(cls, pin: int | None) -> int | None:
        if pin is not None and not is_pin(pin):
            raise ValueError("has five digits and a sixth, the last one of their sum: 111115")
        return pin


class OptSettings(Table):
    """What opt schedules of ours mean together; as the utility's program has it (OpenADR 2.0b R201)."""

    default: OptType = OptType.IN
    """What holds where nothing is said."""
    precedence: Precedence = Precedence.OPT_OUT
    """Which counts where an optIn and an optOut speak of the same moment."""


class PushSettings(Table):
    """With this table the agent does not poll: the VTN comes to it (OpenADR 2.0b HTTP push)."""

    address: Annotated[str, _address("https://host[:port]/[prefix/]")]
    """How the VTN reaches us: ``https://host[:port]/[prefix/]``; the OpenADR path is added."""
    host: str = "0.0.0.0"  # noqa: S104  # the VTN comes from outside, and shows its certificate
    port: Annotated[int, Field(ge=0, le=65535)] = 8443


class ProgramSettings(Table):
    relief_sign: Literal["POSITIVE", "NEGATIVE"] | None = None
    """What a positive LOAD_DISPATCH delta asks for: relief, or load. None: such events are refused."""
    levels: tuple[Share, Share, Share, Share] = (0.0, 0.25, 0.6, 1.0)
    """Share of the headroom that SIMPLE levels 0 to 3 ask for."""
    reference_price_per_kwh: float | None = None
    """What a kWh costs owners without an event. None: events that only name prices are refused."""
    owners_earn_per_kwh: Annotated[float, Field(ge=0)] | None = None
    """What owners are paid for a kWh that they gave (``openadr-ven earned``). None: nothing was agreed."""
    policy: Literal["endurance", "fair endurance", "merit", "proportional", "rotation", "wear"] = "endurance"
    """Who is asked first; what the names mean is in ``openadr_ven.dispatch.policy``."""


class EnvelopeSettings(Table):
    """What no VTN can make the fleet exceed; what each limit means is in ``openadr_ven.dispatch.guard``."""

    event_max_w: PositiveWatts
    ramp_w_per_s: PositiveWatts
    release_ramp_w_per_s: PositiveWatts
    step_max_w: PositiveWatts
    reversals_per_hour: Annotated[int, Field(ge=2)]
    reversal_deadband_w: Annotated[int, Field(ge=0)]
    notice_min_s: Annotated[int, Field(ge=0)]
    window_start_minute: Annotated[int, Field(ge=0, le=1440)] = 0
    window_end_minute: Annotated[int, Field(ge=0, le=1440)] = 1440
    soc_floor: Share
    feeder_max_w: PositiveWatts | None = None
    on_breach: Literal["clamp", "refuse"] = "clamp"


class FleetSettings(Table):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "fleet"
    """Part of the topics that gateways listen to."""
    names: tuple[str, ...] = ()
    """What the utility calls all of it besides: groups and parties that events are for."""
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """What the utility calls some of it: by devices, sites, transformers, feeders, … as the fleet file names them."""
    file: Path
    """Made by ``openadr-ven fleet load``: a folder of versions, or a file of the name .csv or .parquet."""


class GatewaySettings(Table):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    client_id: str = "openadr-ven"
    """Fixed, so that the broker keeps what devices say while this agent is down."""
    trust: Path | None = None
    username: str = ""
    password: str = ""
    price_key: Path | None = None
    """An Ed25519 private key (PEM). With it every feeder is told the price too, for gateways that follow one."""


class AgentSettings(Table):
    lease_s: Annotated[float, Field(ge=5, le=3600)] = 30.0
    """How long a device goes on by itself when we are gone."""
    renew_s: Positive = 10.0
    baseline_s: Positive = 60.0
    act_on_test_events: bool = False
    ledger: Path = Path("ledger")
    """Folder of the command ledger (``openadr-ven ledger``); it only grows: delete what is too old."""

    @model_validator(mode="after")
    def _renews_in_time(self) -> Self:
        if self.renew_s > self.lease_s / 2:
            raise ValueError("renew_s must be at most half of lease_s, or one lost frame lets devices go")
        return self


class ShardSettings(Table):
    """With this table other processes (``openadr-ven shard``) compute and carry parts of the fleet; what none has, we
    do.
    """

    engine: Annotated[str, Field(pattern=r"^(nats|tls)://[^/\s]+$")]
    """A NATS server: ``nats://host:port``, or ``tls://``."""
    trust: Path | None = None
    """The authority that signed its certificate; with ``tls://`` alone, those that this machine trusts."""
    username: str = ""
    """The agent's, or a shard's own: ``openadr-ven shard --rights`` says what it must be let do."""
    password: str = ""
    timeout_s: Annotated[float, Field(ge=0.1, le=10)] = 2.0
    """A shard that has not answered by then has nothing to do with this round any more."""
    cell_rows: Annotated[int, Field(ge=10)] = 131_072
    """Devices that are planned, and told, together. The same figure gives the same commands, however many shards
    there are, and the same files of the ledger."""


class ReportSettings(Table):
    """How long what was measured is kept: what is older is dropped, so that the store has an end."""

    history_days: Annotated[int, Field(ge=1, le=400)] = 30
    """The fleet's power in steps of five minutes, for whoever asks for history. OpenADR 2.0b R510 asks for 100."""
    undelivered_days: Annotated[int, Field(ge=1, le=31)] = 7
    """Reports that the VTN has not taken."""


class ConsoleSettings(Table):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8082

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        if host not in LOOPBACK:
            raise ValueError("must be a loopback address: the console has no accounts")
        return host


class LogSettings(Table):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(FileSettings):
    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    vtn: VtnSettings | None = None
    """OpenADR 2.0b; this table, ``[oadr3]`` or ``[sep2]``."""
    oadr3: Oadr3VtnSettings | None = None
    sep2: Sep2VtnSettings | None = None
    envelope: EnvelopeSettings
    """Required: without an explicit choice of what may never be exceeded, the agent does not start."""
    fleet: FleetSettings
    push: PushSettings | None = None
    """None: the agent polls."""
    programs: dict[str, ProgramSettings] = Field(default_factory=dict)
    """By market context, the URI that names a program on the wire; "*" is any. Others are refused with code 462."""
    opts: OptSettings = OptSettings()
    gateways: GatewaySettings = GatewaySettings()
    agent: AgentSettings = AgentSettings()
    shards: ShardSettings | None = None
    """None: this process computes all of the fleet."""
    reports: ReportSettings = ReportSettings()
    console: ConsoleSettings = ConsoleSettings()
    log: LogSettings = LogSettings()
    store: Annotated[str, Field(pattern=r"^(sqlite:///|postgresql://).")] = "sqlite:///ven.db"
    """``sqlite:///path`` or ``postgresql://user@host/database``."""

    @model_validator(mode="after")
    def _one_vtn(self) -> Self:
        if sum(table is not None for table in (self.vtn, self.oadr3, self.sep2)) != 1:
            raise ValueError("vtn, oadr3 or sep2: one of these tables says where the VTN is")
        if self.push is not None and self.vtn is None:
            raise ValueError("push goes with vtn: only in OpenADR 2.0b the VTN pushes")
        return self


def load(path: Path) -> Settings:
    """The settings in this file, as the environment overrides them; ConfigError names each wrong one."""
    settings = read_settings(Settings, path, written_by="openadr-ven init", reasons=REASONS)
    return _placed(settings, path.resolve().parent)


def _placed(settings: Settings, folder: Path) -> Settings:
    """With every path made absolute against the file's folder, and each file seen to be there."""
    store = settings.store
    if store.startswith("sqlite:///"):
        store = f"sqlite:///{folder / store.removeprefix('sqlite:///')}"
    return settings.model_copy(
        update={
            "vtn": _with_files(settings.vtn, "vtn", folder, ("certificate", "key", "trust")),
            "oadr3": _placed_oadr3(settings.oadr3, folder),
            "sep2": _with_files(settings.sep2, "sep2", folder, ("certificate", "key", "trust", "devices")),
            "agent": settings.agent.model_copy(update={"ledger": folder / settings.agent.ledger}),
            "fleet": settings.fleet.model_copy(update={"file": folder / settings.fleet.file}),
            "shards": _with_files(settings.shards, "shards", folder, ("trust",)),
            "gateways": _with_files(settings.gateways, "gateways", folder, ("trust", "price_key")),
            "store": store,
        }
    )


def _placed_oadr3(table: Oadr3VtnSettings | None, folder: Path) -> Oadr3VtnSettings | None:
    placed = _with_files(table, "oadr3", folder, ("certificate", "key", "trust", "client_secret_file"))
    if placed is None:
        return None
    webhook = _with_files(placed.webhook, "oadr3.webhook", folder, ("certificate", "key"))
    return placed.model_copy(update={"webhook": webhook})


def _with_files(table: T | None, place: str, folder: Path, names: tuple[str, ...]) -> T | None:
    if table is None:
        return None
    files = {name: folder / file for name in names if (file := getattr(table, name)) is not None}
    for name, file in files.items():
        if not file.is_file():
            raise ConfigError(f"{place}.{name}: {file} is not there")
    return table.model_copy(update=files)
