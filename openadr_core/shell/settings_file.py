"""Settings from a TOML file, overridden by the environment, with errors that name the setting."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from openadr_core.errors import ConfigError

NO_REASONS: Mapping[str, str] = {}


class Table(BaseModel):
    """A table of the file: an unknown key is a mistake, and said to be one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSettings(BaseSettings):
    """The whole file; the class that inherits says its environment prefix in ``model_config``."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over the file; nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


Kind = TypeVar("Kind", bound=FileSettings)


def read_settings(kind: type[Kind], path: Path, *, written_by: str, reasons: Mapping[str, str] = NO_REASONS) -> Kind:
    """The settings in this file, as the environment overrides them; ConfigError names each wrong one.

    ``written_by`` is the command that writes such a file; ``reasons`` says more than the checker
    can about settings that matter, by their place in the file.
    """
    prefix = str(kind.model_config.get("env_prefix", ""))
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; `{written_by}` writes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    try:
        return kind(**tables)
    except SettingsError as error:
        raise ConfigError(f"a variable of the environment, {prefix}…, cannot be read: {error}") from None
    except ValidationError as error:
        raise ConfigError("\n".join(_named(path, prefix, found, reasons) for found in error.errors())) from None


def _named(path: Path, prefix: str, found: Any, reasons: Mapping[str, str]) -> str:
    location = ".".join(str(part) for part in found["loc"])
    reason = reasons.get(location) or str(found["msg"]).removeprefix("Value error, ")
    return f"{path}: {location}: {reason} (or {prefix}{location.upper().replace('.', '__')})"
