"""Subscriptions and notifications of OpenADR 3.1: what a client asks to hear, and how it is told."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from openadr_core.errors import SchemaViolation
from openadr_core.oadr3.decode import document_of
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.json_text import parse_object
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.target_types import with_shown

Word = TypeVar("Word", bound=StrEnum)

URL_MAX_CHARS = 8000
WATCHES_MAX = 32
"""objectOperations of one subscription: each kind of object with each operation apart would be 24."""
TOKEN = "bearerToken"  # noqa: S105  # the member's name
SERVER_MEMBERS = frozenset({"id", "createdDateTime", "modificationDateTime", "objectType", "clientID"})
"""Whatever a client sends for these is ignored; the VTN sets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One of a subscription's objectOperations."""

    kinds: frozenset[ObjectKind]
    operations: frozenset[Operation]
    callback_url: str
    bearer_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    client_name: str
    watches: tuple[Watch, ...]
    document: str
    """The JSON text as it was written, without the members that are the VTN's to set."""
    program_id: str | None = None
    targets: tuple[str, ...] = ()


def decode_subscription(body: bytes) -> SubscriptionRequest:
    """A subscription; MalformedMessage or SchemaViolation says what is wrong, and where."""
    members, text = parse_object(body)
    fields = Fields.of(members, "")
    if fields.members.get("objectOperations") is None:
        raise fields.wrong("objectOperations", "is missing")
    watches = tuple(_watch(one) for one in fields.objects("objectOperations"))
    if not 1 <= len(watches) <= WATCHES_MAX:
        raise fields.wrong("objectOperations", f"must be 1 to {WATCHES_MAX}")
    return SubscriptionRequest(
        client_name=fields.required("clientName", fields.name),
        watches=watches,
        document=document_of(text, SERVER_MEMBERS),
        program_id=fields.optional("programID", fields.identifier),
        targets=fields.names("targets"),
    )


def without_tokens(document: str) -> str:
    """The document as others than its owner see it."""
    members = json.loads(document)
    for one in members["objectOperations"]:
        one.pop(TOKEN, None)
    return json.dumps(members, ensure_ascii=False)


def notification_text(kind: ObjectKind, operation: Operation, document: str, targets: tuple[str, ...] | None) -> str:
    """A notification; ``targets`` are those that the receiver may know, None if the object is shown as it is."""
    shown, told = document, ""
    if targets is not None:
        own = json.loads(document).get("targets") or []
        known = [target for target in own if target in targets]
        if known != own:
            shown = with_targets(document, tuple(known))
        told = f', "targets": {json.dumps(known)}'
    return f'{{"objectType": "{kind}", "operation": "{operation}", "object": {shown}{told}}}'


def with_targets(document: str, targets: tuple[str, ...]) -> str:
    """The object with these for its targets, the other members as they were written."""
    return with_shown(document, targets) if "targets" in json.loads(document) else document


def _watch(fields: Fields) -> Watch:
    watch = Watch(
        kinds=_words(fields, "objects", ObjectKind),
        operations=_words(fields, "operations", Operation),
        callback_url=fields.required("callbackUrl", fields.parsed(_callback_url)),
        bearer_token=fields.optional(TOKEN, fields.parsed(_bearer_token)),
    )
    if not watch.kinds or not watch.operations:
        raise fields.wrong("objects" if not watch.kinds else "operations", "is empty: nothing would ever be told")
    return watch


def _words(fields: Fields, name: str, words: type[Word]) -> frozenset[Word]:
    if fields.members.get(name) is None:
        raise fields.wrong(name, "is missing")
    known = {word.value: word for word in words}
    found = []
    for item, place in fields.items(name):
        if not isinstance(item, str) or item not in known:
            raise SchemaViolation(f"{place}: must be one of {', '.join(known)}")
        found.append(known[item])
    return frozenset(found)


def _callback_url(text: str) -> str:
    """3.1 lets nothing but https be called; which hosts may be is for who connects to decide."""
    if not 2 <= len(text) <= URL_MAX_CHARS or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("is no URL")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is no URL") from None
    if parts.scheme != "https" or not parts.hostname or port == 0:
        raise ValueError("must be https://host[:port]/…")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("must have no user and no fragment")
    return text


def _bearer_token(text: str) -> str:
    """What goes into a header must not end it."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces")
    return text
