"""A gateway's settings: a TOML file, and environment variables (``OPENADR_GATEWAY_…``) that override it.

``openadr-ven gateway example KIND`` writes a commented file. Paths are relative to it.
"""

from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from openadr_core.errors import ConfigError
from openadr_core.shell.settings_file import FileSettings, Table, read_settings

T = TypeVar("T", bound=Table)
Port = Annotated[int, Field(ge=1, le=65535)]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
KINDS = ("ocpp",)


class BrokerSettings(Table):
    """The broker that the VEN is at too."""

    host: str = "127.0.0.1"
    port: Port = 1883
    trust: Path | None = None
    """The authority that signed its certificate; None: no TLS, which is for this machine only."""
    username: str = ""
    password: str = ""


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
        return digest.replace(":", "").lower() if isinstance(digest, str) else digest

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

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"one table of {', '.join(KINDS)} says what is behind it")
        return self


def load(path: Path) -> GatewaySettings:
    """The settings in this file, as the environment overrides them; ConfigError names each wrong one."""
    settings = read_settings(GatewaySettings, path, written_by="openadr-ven gateway example ocpp")
    folder = path.resolve().parent
    ocpp = settings.ocpp
    return settings.model_copy(
        update={
            "fleet": folder / settings.fleet,
            "record": folder / settings.record,
            "broker": _with_files(settings.broker, "broker", folder, "trust"),
            "ocpp": ocpp and _with_files(ocpp, "ocpp", folder, "certificate", "key", "trust"),
        }
    )


def _with_files(table: T, place: str, folder: Path, *names: str) -> T:
    files = {name: folder / file for name in names if (file := getattr(table, name)) is not None}
    for name, file in files.items():
        if not file.is_file():
            raise ConfigError(f"{place}.{name}: {file} is not there")
    return table.model_copy(update=files)
