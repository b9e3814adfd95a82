"""Bulletins of a price as bytes, signed: one retained message for each feeder.

der/v1/<fleet>/feeder-<digest>/price    the digest is of the feeder's name, which need be no topic level

64 bytes  Ed25519 over what follows, by the agent's key: a bulletin commands whoever believes it
body      ``fleet/wire.py``
"""

import hashlib
from dataclasses import asdict
from datetime import datetime

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from openadr_core.errors import MalformedMessage
from openadr_ven.dispatch.bulletin import FOLLOWED, Bulletin, Following
from openadr_ven.fleet.columns import Direction
from openadr_ven.fleet.model import Outlook
from openadr_ven.fleet.wire import Said, decode, encode
from openadr_ven.gateways.contract import TOPIC_ROOT

SIGNATURE_BYTES = 64


def price_topic(fleet: str, feeder: str) -> str:
    return f"{TOPIC_ROOT}/{fleet}/feeder-{hashlib.sha256(feeder.encode()).hexdigest()[:16]}/price"


def write(told: Bulletin, key: Ed25519PrivateKey) -> bytes:
    following = told.following
    body = encode(Said(
        values={
            "feeder": told.feeder, "fleet_sha256": told.fleet_sha256, "event_id": told.event_id,
            "event_version": told.event_version, "sequence": told.sequence, "issued_at": told.issued_at.isoformat(),
            "ends_at": told.ends_at.isoformat(), "first_row": told.first_row,
            "measured_at": {name: moment.isoformat() for name, moment in told.measured_at.items()},
            "price": following.price, "direction": int(following.direction), "policy": following.policy,
            "outlook": asdict(following.outlook),
        },
        arrays={
            "follows": told.follows, "baseline_w": told.baseline_w, "holds": following.holds.ravel(),
            "surcharge": following.surcharge,
        },
    ))  # fmt: skip
    return key.sign(body) + body


def read(data: bytes, key: Ed25519PublicKey) -> Bulletin:
    """MalformedMessage if it is none, or not by that key."""
    try:
        key.verify(data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:])
    except InvalidSignature:
        raise MalformedMessage("a bulletin that the agent has not signed") from None
    said = decode(data[SIGNATURE_BYTES:])
    try:
        return _bulletin(said)
    except (KeyError, ValueError, TypeError) as problem:
        raise MalformedMessage(f"no bulletin: {type(problem).__name__}: {problem}") from None


def _bulletin(said: Said) -> Bulletin:
    values, arrays = said.values, said.arrays
    if values["policy"] not in FOLLOWED:
        raise MalformedMessage(f"a policy that nobody can follow: {values['policy']!r}")
    follows = arrays["follows"]
    if follows.dtype != np.bool_ or int(follows.sum()) != arrays["baseline_w"].size:
        raise MalformedMessage("not a baseline for each that follows")
    return Bulletin(
        feeder=str(values["feeder"]),
        fleet_sha256=str(values["fleet_sha256"]),
        event_id=str(values["event_id"]),
        event_version=int(values["event_version"]),
        sequence=int(values["sequence"]),
        issued_at=datetime.fromisoformat(values["issued_at"]),
        ends_at=datetime.fromisoformat(values["ends_at"]),
        first_row=int(values["first_row"]),
        follows=follows,
        baseline_w=arrays["baseline_w"],
        measured_at={name: datetime.fromisoformat(text) for name, text in values["measured_at"].items()},
        following=Following(
            price=float(values["price"]),
            direction=Direction(values["direction"]),
            policy=values["policy"],
            outlook=Outlook(**values["outlook"]),
            holds=arrays["holds"].reshape(-1, 3),
            surcharge=arrays["surcharge"],
        ),
    )
