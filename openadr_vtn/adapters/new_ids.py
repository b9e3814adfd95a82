"""Identifiers that the VTN gives."""

import secrets


def new_id() -> str:
    """Unguessable, and good in every protocol; it begins with a letter, for 2.0b's readers of XML ids."""
    return f"i{secrets.token_hex(8)}"
