"""What a certificate of one use looks like, as a value read from a TOML text of `certs/profiles/`."""

import tomllib
from dataclasses import dataclass, fields
from typing import Any, get_origin

from openadr_core.errors import ConfigError

KEY_KINDS = ("rsa-2048", "p256")
KEY_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign",
)  # fmt: skip
EXTENDED_KEY_USAGES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    name: str
    title: str
    key: str
    """One of KEY_KINDS."""
    key_usage: tuple[str, ...]
    """Of KEY_USAGES; the extension is critical."""
    days: int = 0
    """How long a certificate is good for; 0 is for ever (the end of year 9999)."""
    organization: str = ""
    """The O of the subject; the CN is the name asked for."""
    subject_empty: bool = False
    authority: bool = False
    path_length: int | None = None
    """Authorities that may stand below this one; None is any number."""
    extended_key_usage: tuple[str, ...] = ()
    """Of EXTENDED_KEY_USAGES; none at all means any use."""
    host_names: bool = False
    """The certificate must name a host: clients look for it."""
    hardware_type: str = ""
    """If set: a critical HardwareModuleName with this object identifier, and the name asked for as its serial."""
    policies: tuple[str, ...] = ()
    """Object identifiers; the extension is critical."""
    policies_forbidden: tuple[str, ...] = ()
    """Policies with which a certificate is no good, whatever else it carries."""

    @property
    def lasts_for_ever(self) -> bool:
        return self.days == 0


def parse_profile(name: str, text: str) -> Profile:
    """The profile that a TOML text describes, or a ConfigError that names what is wrong with it."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"certificate profile {name}: {error}") from None
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    types = {field.name: tuple if get_origin(field.type) is tuple else field.type for field in fields(Profile)}
    for key, value in values.items():
        if key == "name" or key not in types:
            raise ConfigError(f"certificate profile {name}: unknown setting {key}")
        if not isinstance(value, types[key]):  # type: ignore[arg-type]  # a class or a union, by Profile
            raise ConfigError(f"certificate profile {name}: {key} cannot be {value!r}")
    try:
        profile = Profile(name=name, **values)
    except TypeError as error:
        raise ConfigError(f"certificate profile {name}: {error}") from None
    _refuse_unknown_words(profile)
    return profile


def _refuse_unknown_words(profile: Profile) -> None:
    words = {
        "key": ({profile.key}, KEY_KINDS),
        "key_usage": (set(profile.key_usage), KEY_USAGES),
        "extended_key_usage": (set(profile.extended_key_usage), EXTENDED_KEY_USAGES),
    }
    for setting, (given, known) in words.items():
        if wrong := given - set(known):
            raise ConfigError(
                f"certificate profile {profile.name}: {setting} has {', '.join(sorted(wrong))}; "
                f"known are {', '.join(known)}"
            )
