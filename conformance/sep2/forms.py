"""Certificates of devices in every form that a server must take, and in some that it must not (6.11)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from openadr_core.pki import Authority, issue, make_authority
from openadr_core.shell.keyfiles import certificate_profile, write_authority, write_issued
from openadr_core.shell.tls import Chain


class Form(StrEnum):
    STRAIGHT = "straight"
    """Signed by the root itself."""
    ONE_BETWEEN = "one-between"
    TWO_BETWEEN = "two-between"
    """MCA and MICA."""
    TEST_POLICY = "test-policy"
    SELF_SIGNED_POLICY = "self-signed-policy"
    NO_POLICY = "no-policy"
    NO_HARDWARE = "no-hardware"
    """It has no name at all."""
    EXTENDED_USE = "extended-use"
    NO_AGREEMENT = "no-agreement"
    """Its key is not for agreeing on another."""
    ENDS = "ends"
    """A device's certificate has no end."""
    BAD_AUTHORITY = "bad-authority"
    """Its MICA's certificate is not for signing others."""
    SELF_SIGNED = "self-signed"
    """By nobody else."""


WRONG: Mapping[Form, Mapping[str, Any]] = {
    Form.TEST_POLICY: {"policies": ("1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.2.1")},
    Form.SELF_SIGNED_POLICY: {"policies": ("1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.2.2")},
    Form.NO_POLICY: {"policies": ()},
    Form.NO_HARDWARE: {"hardware_type": ""},
    Form.EXTENDED_USE: {"extended_key_usage": ("client",)},
    Form.NO_AGREEMENT: {"key_usage": ("digital_signature",)},
    Form.ENDS: {"days": 3650},
}
"""How each departs from the profile of a device."""


def chain_of(form: Form, root: Authority, folder: Path) -> Chain:
    """A new device's, under this root; its files are written into the folder."""
    now = datetime.now(UTC)
    if form is Form.SELF_SIGNED:
        write_authority(folder, form, make_authority("Nobody", certificate_profile("sep2-serca"), now))
        return Chain(certificate=folder / f"{form}.pem", key=folder / f"{form}.key")
    profile = replace(certificate_profile("sep2-device"), **WRONG.get(form, {}))
    return write_issued(folder, form, issue(profile, form, _issuer(form, root, now), now))


def _issuer(form: Form, root: Authority, now: datetime) -> Authority:
    if form is Form.STRAIGHT:
        return root
    mica = certificate_profile("sep2-mica")
    if form is Form.BAD_AUTHORITY:
        mica = replace(mica, key_usage=("crl_sign",))
    above = make_authority("MCA", certificate_profile("sep2-mca"), now, root) if form is Form.TWO_BETWEEN else root
    return make_authority("MICA", mica, now, above)
