"""A gateway's settings: a TOML file, and environment variables (``OPENADR_GATEWAY_…``) that override it.

``openadr-ven gateway example KIND`` writes a commented file. Paths are relative to it.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from openadr_core.errors import ConfigError
from openadr_core.shell.settings_file import FileSettings, Table, read_settings
from openadr_ven.gateways.cloud.mapping import NAMES, When, placeholders

Positive = Annotated[float, Field(gt=0)]
Pointer = Annotated[str, Field(pattern=r"^(/.*)?$")]
"""RFC 6901."""
Topic = Annotated[str, Field(pattern=r"^[^+#\x00]*$")]
T = TypeVar("T", bound=Table)
Port = Annotated[int, Field(ge=1, le=65535)]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
KINDS = ("ocpp", "cloud", "sunspec", "topics", "sep2")


def https(url: str) -> str:
    """The address without its last slash; ValueError if it is not one of HTTPS."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be https://host[:port][/path]")
    return url.removesuffix("/")


def plain_digest(digest: object) -> object:
    return digest.replace(":", "").lower() if isinstance(digest, str) else digest


class BrokerSettings(Table):
    """The broker that the VEN is at too."""

    host: str = "127.0.0.1"
    port: Port = 1883
    trust: Path | None = None
    """The authority that signed its certificate; None: no TLS, which is for this machine only."""
    username: str = ""
    password: str = ""
    price_key: Path | None = None
    """The agent's public key (Ed25519, PEM): with it devices follow the price that their feeder is told."""


class StationSettings(Table):
    evses: dict[Annotated[int, Field(ge=1)], str] = Field(default_factory=dict)
    """The fleet's device ids by the station's connectors (1.6) or EVSEs (2.x); empty: its own name, at 1."""
    password_sha256: Sha256 = ""
    certificate_sha256: Sha256 = ""
    volts: Annotated[float, Field(gt=0)] = 230.0
    phases: Annotated[int, Field(ge=1, le=3)] = 3

    @field_validator("certificate_sha256", mode="before")
    @classmethod
    def _plain(cls, digest: object) -> object:
        return plain_digest(digest)

    @model_validator(mode="after")
    def _known_by_something(self) -> Self:
        if not self.password_sha256 and not self.certificate_sha256:
            raise ValueError("password_sha256, certificate_sha256, or both: a station must prove who it is")
        return self


class OcppSettings(Table):
    """A central system for charging stations."""

    host: str = "0.0.0.0"  # noqa: S104  # stations come from outside
    port: Annotated[int, Field(ge=0, le=65535)] = 8887
    certificate: Path
    key: Path
    trust: Path | None = None
    """The authority that signs the stations' certificates (security profile 3)."""
    stack_level: Annotated[int, Field(ge=0)] = 1
    """Above what a household's own profiles have, and not above ChargeProfileMaxStackLevel."""
    stations: dict[str, StationSettings]

    @model_validator(mode="after")
    def _can_verify(self) -> Self:
        if self.trust is None and any(one.certificate_sha256 for one in self.stations.values()):
            raise ValueError("trust is missing, and a station has a certificate_sha256")
        return self


class TokenSettings(Table):
    """OAuth 2.0 client credentials; without ``url`` the file holds a token that somebody made for us."""

    url: str = ""
    client_id: str = ""
    secret_file: Path
    scope: str = ""

    @field_validator("url")
    @classmethod
    def _over_tls(cls, url: str) -> str:
        return https(url) if url else url


class CloudRequestSettings(Table):
    """A request to the vendor; ``openadr_ven.gateways.cloud.mapping`` says what templates are."""

    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST"
    path: Annotated[str, Field(pattern=r"^/")]
    body: Any = None
    each: Any = None
    refused: Pointer = ""
    when: When = When.ALWAYS

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        known = NAMES if self.each is not None else NAMES - {"each"}
        if strangers := {*placeholders([self.path, self.body, self.each])} - known:
            raise ValueError(f"nobody knows {{{min(strangers)}}}; there are {', '.join(sorted(known))}")
        return self


class CloudReadSettings(Table):
    method: Literal["GET", "POST"] = "GET"
    path: Annotated[str, Field(pattern=r"^/")]
    each: Pointer = ""
    device: Pointer = ""
    power_w: Pointer
    power_scale: float = 1.0
    soc: Pointer = ""
    soc_scale: float = 1.0
    temperature_c: Pointer = ""
    plugged: Pointer = ""
    online: Pointer = ""
    override: Pointer = ""
    truths: tuple[bool | int | str, ...] = (True,)

    @model_validator(mode="after")
    def _one_or_all(self) -> Self:
        if bool(self.each) != bool(self.device):
            raise ValueError("each and device go together")
        if set(placeholders(self.path)) - {"device"} or bool(self.each) == ("{device}" in self.path):
            raise ValueError("path names {device}, or each says where all of them are")
        return self


class CloudSettings(Table):
    """A vendor's cloud."""

    url: str
    trust: Path | None = None
    """Another authority than those that this machine trusts."""
    token: TokenSettings | None = None
    devices: dict[str, str]
    """The vendor's names by the fleet's."""
    read: CloudReadSettings
    orders: dict[Literal["SETPOINT", "SHED", "LOAD_UP", "RELEASE"], tuple[CloudRequestSettings, ...]]
    batch_max: Annotated[int, Field(ge=1)] = 1
    """Devices in one request that has ``each``."""
    requests_per_minute: Positive = 60.0
    burst: Annotated[int, Field(ge=1)] = 5
    in_flight: Annotated[int, Field(ge=1, le=8)] = 4
    timeout_s: Positive = 10.0
    tries: Annotated[int, Field(ge=1, le=10)] = 4
    pace_s: Positive = 30.0
    """A device is told another setpoint no more often than this."""
    read_every_s: Positive = 30.0

    @field_validator("url")
    @classmethod
    def _over_tls(cls, url: str) -> str:
        return https(url)

    @model_validator(mode="after")
    def _lets_go(self) -> Self:
        if not self.orders.get("RELEASE"):
            raise ValueError("orders.RELEASE is missing: what is told must be taken back")
        if len(set(self.devices.values())) < len(self.devices):
            raise ValueError("devices: two have one name at the vendor")
        return self


class SunSpecDeviceSettings(Table):
    host: str
    port: Port = 502
    unit: Annotated[int, Field(ge=0, le=255)] = 1


class SunSpecSettings(Table):
    """Devices on the local network that speak SunSpec Modbus over TCP: nobody is authenticated there."""

    devices: dict[str, SunSpecDeviceSettings]
    """By the fleet's names."""
    read_every_s: Positive = 1.0
    timeout_s: Positive = 3.0


class TopicSettings(Table):
    """Where something is told."""

    topic: Topic
    pointer: Pointer = ""
    """In a payload that is JSON; empty: the payload is the value."""
    scale: float = 1.0
    truths: tuple[bool | int | str, ...] = ("true", "on", "1", True)
    """What is taken for yes, where that is asked."""


class EchoSettings(Table):
    """What the device tells when it has taken an order."""

    topic: Topic
    value: str
    """Exactly this, with the placeholders of what was published."""


class PublishSettings(Table):
    """What is published to a device."""

    topic: Topic
    payload: Any
    """A text, or what is written as JSON, with placeholders as in a cloud's templates."""
    when: When = When.ALWAYS
    echo: EchoSettings | None = None
    """Without it, that the broker has it is all that can be known."""

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        known = NAMES - {"each"}
        if strangers := {*placeholders([self.payload, self.echo and self.echo.value])} - known:
            raise ValueError(f"nobody knows {{{min(strangers)}}}; there are {', '.join(sorted(known))}")
        return self


class TopicDeviceSettings(Table):
    power_w: TopicSettings
    soc: TopicSettings | None = None
    temperature_c: TopicSettings | None = None
    plugged: TopicSettings | None = None
    online: TopicSettings | None = None
    override: TopicSettings | None = None
    alive: Topic = ""
    """Whatever is said there says that what was told before still holds."""
    orders: dict[Literal["SETPOINT", "SHED", "LOAD_UP", "RELEASE"], tuple[PublishSettings, ...]]

    @model_validator(mode="after")
    def _lets_go(self) -> Self:
        if not self.orders.get("RELEASE"):
            raise ValueError("orders.RELEASE is missing: what is told must be taken back")
        return self


class TopicsSettings(BrokerSettings):
    """Devices at an MQTT broker that have topics of their own: a home's, mostly."""

    devices: dict[str, TopicDeviceSettings]
    """By the fleet's names."""
    pace_s: Positive = 5.0
    repeat_s: Positive = math.inf
    """Devices that forget what they were told are told again so often."""
    echo_wait_s: Positive = 10.0
    reading_lasts_s: Positive = 60.0


class Sep2DeviceSettings(Table):
    certificate_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Its LFDI follows from it."""
    pin: Annotated[int, Field(ge=0, le=999_999)] | None = None
    """What whoever installs it types into it, so that it knows us."""

    @field_validator("certificate_sha256", mode="before")
    @classmethod
    def _plain(cls, digest: object) -> object:
        return plain_digest(digest)


class Sep2GatewaySettings(Table):
    """A server of IEEE 2030.5 for devices that come to us (CSIP, CSIP-AUS)."""

    host: str = "0.0.0.0"  # noqa: S104  # devices come from outside
    port: Annotated[int, Field(ge=0, le=65535)] = 8446
    profile: Literal["sep2-strict", "sep2-compat"] = "sep2-strict"
    """strict: the one suite that the standard wants, CCM-8; compat: AES-GCM too."""
    certificate: Path
    key: Path
    trust: Annotated[tuple[Path, ...], Field(min_length=1)]
    """The roots (SERCA) of the devices' certificates."""
    client_certificates: Literal["standard", "any"] = "standard"
    """any: also those whose policies, names and uses are not the standard's."""
    pen: Annotated[int, Field(gt=0, le=99_999_999)]
    """Our Private Enterprise Number: what mRIDs end in."""
    csipaus: Literal["none", "1.2", "1.3"] = "1.2"
    store: Path = Path("devices.db")
    """What devices were told, and said."""
    poll_rate_s: Annotated[int, Field(ge=1)] = 60
    post_rate_s: Annotated[int, Field(ge=1)] = 60
    answer_wait_s: Positive = 180.0
    """An order that its device has not answered by then is taken back."""
    networks: tuple[IPvAnyNetwork, ...] = ()
    """Where devices may have notifications sent to besides the public Internet."""
    notification_ports: tuple[Port, ...] = (443, 8443)
    default: dict[str, Any] = Field(default_factory=dict)
    """DefaultDERControl: members of DERControlBase that hold where nothing is told; empty: the device's own ways."""
    devices: Annotated[dict[str, Sep2DeviceSettings], Field(min_length=1)]
    """By the fleet's names."""

    @model_validator(mode="after")
    def _each_its_own(self) -> Self:
        if len({one.certificate_sha256 for one in self.devices.values()}) < len(self.devices):
            raise ValueError("devices: two have one certificate")
        return self


class GatewaySettings(FileSettings):
    model_config = SettingsConfigDict(
        env_prefix="OPENADR_GATEWAY_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    gateway: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """As the fleet's file names it: the devices whose gateway this is are ours."""
    fleet: Path
    """The fleet that the agent has loaded: a store, CSV or Parquet."""
    fleet_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "fleet"
    record: Path = Path("gateway.npz")
    """What devices were told, for after a restart."""
    broker: BrokerSettings = BrokerSettings()
    ocpp: OcppSettings | None = None
    cloud: CloudSettings | None = None
    sunspec: SunSpecSettings | None = None
    topics: TopicsSettings | None = None
    sep2: Sep2GatewaySettings | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"one table of {', '.join(KINDS)} says what is behind it")
        return self


def load(path: Path) -> GatewaySettings:
    """The settings in this file, as the environment overrides them; ConfigError names each wrong one."""
    settings = read_settings(GatewaySettings, path, written_by="openadr-ven gateway example ocpp")
    folder = path.resolve().parent
    ocpp, cloud, topics, sep2 = settings.ocpp, settings.cloud, settings.topics, settings.sep2
    if cloud is not None:
        token = cloud.token and _with_files(cloud.token, "cloud.token", folder, "secret_file")
        cloud = _with_files(cloud, "cloud", folder, "trust").model_copy(update={"token": token})
    return settings.model_copy(
        update={
            "fleet": folder / settings.fleet,
            "record": folder / settings.record,
            "broker": _with_files(settings.broker, "broker", folder, "trust", "price_key"),
            "cloud": cloud,
            "topics": topics and _with_files(topics, "topics", folder, "trust"),
            "sep2": sep2 and _with_sep2_files(sep2, folder),
            "ocpp": ocpp and _with_files(ocpp, "ocpp", folder, "certificate", "key", "trust"),
        }
    )


def _with_files(table: T, place: str, folder: Path, *names: str) -> T:
    files = {name: folder / file for name in names if (file := getattr(table, name)) is not None}
    for name, file in files.items():
        if not file.is_file():
            raise ConfigError(f"{place}.{name}: {file} is not there")
    return table.model_copy(update=files)


def _with_sep2_files(sep2: Sep2GatewaySettings, folder: Path) -> Sep2GatewaySettings:
    roots = tuple(folder / file for file in sep2.trust)
    for file in roots:
        if not file.is_file():
            raise ConfigError(f"sep2.trust: {file} is not there")
    placed = _with_files(sep2, "sep2", folder, "certificate", "key")
    return placed.model_copy(update={"trust": roots, "store": folder / sep2.store})
