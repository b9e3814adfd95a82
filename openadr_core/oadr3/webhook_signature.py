"""How a webhook shows that it is ours (security T18): HMAC over its id, its time and its bytes.

OpenADR 3.1 recommends a signature and names none. Interpretation: it is that of the Standard Webhooks
convention, which receivers have libraries for: three headers, SHA-256, base64.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
SECRET_PREFIX = "whsec_"  # noqa: S105  # the convention's mark of a secret, not one
VERSION = "v1"


def secret_text(key: bytes) -> str:
    """A key as it is told to the receiver."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def sign(secret: str, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers of a message; ``message_id`` is the same when it is sent again, and holds no dot."""
    seconds = str(int(at.timestamp()))
    return {ID: message_id, TIMESTAMP: seconds, SIGNATURE: f"{VERSION},{_digest(secret, message_id, seconds, body)}"}


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime, *, window: timedelta) -> str:
    """The message's id, if the holder of the secret has signed these bytes just now; else ValueError with the reason.

    Header names are in lower case. An id that came before is a repeat, which is for the caller to know.
    """
    message_id, seconds = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12):
        raise ValueError(f"{TIMESTAMP}: is not a time in seconds")
    if abs(now.timestamp() - int(seconds)) > window.total_seconds():
        raise ValueError("it was signed at another time")
    expected = f"{VERSION},{_digest(secret, message_id, seconds, body)}".encode()
    told = headers.get(SIGNATURE, "").split(" ")
    if not any(hmac.compare_digest(expected, one.encode()) for one in told):
        raise ValueError("it was not signed with this secret")
    return message_id


def _digest(secret: str, message_id: str, seconds: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret is not base64") from None
    signed = f"{message_id}.{seconds}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
