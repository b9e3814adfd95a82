"""What a subscription says, what a notification looks like, and how a receiver knows that it is ours."""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from openadr_core.errors import MalformedMessage, SchemaViolation
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import WATCHES_MAX, decode_subscription, notification_text, without_tokens
from openadr_core.oadr3.webhook_signature import secret_text, sign, verify

URL = "https://hook.example:8443/a?b=c"
MINUTE = timedelta(minutes=1)
SECRET = secret_text(bytes(range(32)))
BODY = b'{"objectType": "EVENT"}'


def a_watch(**changes: Any) -> dict[str, Any]:
    return {"objects": ["EVENT", "PROGRAM"], "operations": ["CREATE"], "callbackUrl": URL, **changes}


def a_body(*watches: Any, **changes: Any) -> bytes:
    return json.dumps({"clientName": "house", "objectOperations": list(watches or [a_watch()]), **changes}).encode()


def test_a_subscription_is_read_whole_and_kept_as_it_was_written() -> None:
    wanted = decode_subscription(
        b'{"id":"mine","clientName":"house","programID":"p-1","targets":["a"],"x":1.50,"clientID":"forged",'
        b'"objectOperations":[{"objects":["EVENT"],"operations":["READ","DELETE"],"callbackUrl":"https://h/",'
        b'"bearerToken":"s3cret"},{"objects":["VEN"],"operations":["CREATE"],"callbackUrl":"https://h/","bearerToken":null}]}'
    )
    assert (wanted.client_name, wanted.program_id, wanted.targets) == ("house", "p-1", ("a",))
    first, second = wanted.watches
    assert first.kinds == frozenset({ObjectKind.EVENT})
    assert first.operations == frozenset({Operation.READ, Operation.DELETE})
    assert (first.bearer_token, second.bearer_token) == ("s3cret", None)
    assert '"x":1.50' in wanted.document
    assert "mine" not in wanted.document
    assert "forged" not in wanted.document


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (a_body(clientName=""), "clientName"),
        (a_body(clientName=None), "clientName"),
        (a_body(objectOperations=None), "objectOperations"),
        (a_body(objectOperations=[]), "objectOperations"),
        (a_body(*[a_watch()] * (WATCHES_MAX + 1)), "objectOperations"),
        (a_body(objectOperations={}), "objectOperations"),
        (a_body(a_watch(objects=None)), "objectOperations[0].objects"),
        (a_body(a_watch(), a_watch(objects=[])), "objectOperations[1].objects"),
        (a_body(a_watch(objects=["METER"])), "objectOperations[0].objects[0]"),
        (a_body(a_watch(operations=["POST"])), "objectOperations[0].operations[0]"),
        (a_body(a_watch(operations=[1])), "objectOperations[0].operations[0]"),
        (a_body(a_watch(bearerToken="a\r\nX: y")), "objectOperations[0].bearerToken"),
        (a_body(a_watch(bearerToken=7)), "objectOperations[0].bearerToken"),
        (a_body(programID="no id!"), "programID"),
        (a_body(targets=[""]), "targets[0]"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(body: bytes, place: str) -> None:
    with pytest.raises(SchemaViolation) as raised:
        decode_subscription(body)
    assert str(raised.value).startswith(f"{place}:")


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example/", "ftp://hook.example/", "file:///etc/passwd", "//hook.example/", "hook.example",
        "https:///path", "https://user@hook.example/", "https://user:pass@hook.example/", "https://hook.example/#part",
        "https://hook.example:0/", "https://hook.example:99999/", "https://[::1/", "https://hook.example/a b",
        "https://hook.example/\u00e9", "h", "https://h/" + "a" * 8000, 7, None,
    ],
)  # fmt: skip
def test_nothing_but_a_plain_https_address_is_called_back(url: object) -> None:
    with pytest.raises(SchemaViolation, match="callbackUrl"):
        decode_subscription(a_body(a_watch(callbackUrl=url)))


def test_a_subscription_passes_the_json_gate() -> None:
    with pytest.raises(MalformedMessage, match="twice"):
        decode_subscription(b'{"clientName":"a","clientName":"b","objectOperations":[]}')


def test_others_see_no_tokens() -> None:
    shown = without_tokens(decode_subscription(a_body(a_watch(bearerToken="s3cret"), a_watch())).document)
    assert "s3cret" not in shown
    assert json.loads(shown)["objectOperations"] == [a_watch(), a_watch()]


def test_a_notification_carries_the_object_as_it_was_written_with_the_targets_that_may_be_known() -> None:
    document = '{"id": "e", "objectType": "EVENT", "targets":["a","b"], "price":0.10, "duration":"P9999Y"}'
    text = notification_text(ObjectKind.EVENT, Operation.UPDATE, document, ("a",))
    said = json.loads(text)
    assert (said["objectType"], said["operation"], said["targets"]) == ("EVENT", "UPDATE", ["a"])
    assert said["object"] == {**json.loads(document), "targets": ["a"]}
    assert '"price":0.10, "duration":"P9999Y"' in text.replace(",", ", ").replace(",  ", ", ")


def test_an_object_that_is_shown_as_it_is_is_not_touched() -> None:
    document = '{"id": "r",  "targets":["a"]}'
    assert document in notification_text(ObjectKind.RESOURCE, Operation.CREATE, document, None)
    untargeted = '{"id": "e"}'
    assert untargeted in notification_text(ObjectKind.EVENT, Operation.CREATE, untargeted, ())


def test_the_signature_is_the_one_of_the_convention(now: datetime) -> None:
    headers = sign(SECRET, "msg-1", BODY, now)
    signed = f"msg-1.{int(now.timestamp())}.".encode() + BODY
    expected = base64.b64encode(hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()).decode()
    assert headers == {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": f"v1,{expected}",
    }


def test_who_has_the_secret_can_check_the_message(now: datetime) -> None:
    headers = sign(SECRET, "msg-1", BODY, now)
    assert verify(SECRET, headers, BODY, now + MINUTE, window=MINUTE * 5) == "msg-1"
    rotated = {**headers, "webhook-signature": "v1,AAAA " + headers["webhook-signature"]}
    assert verify(SECRET, rotated, BODY, now, window=MINUTE) == "msg-1"


@pytest.mark.parametrize(
    ("changes", "body", "later"),
    [
        ({}, BODY + b" ", timedelta(0)),
        ({"webhook-id": "msg-2"}, BODY, timedelta(0)),
        ({"webhook-signature": "v1,AAAA"}, BODY, timedelta(0)),
        ({"webhook-signature": ""}, BODY, timedelta(0)),
        ({"webhook-timestamp": "soon"}, BODY, timedelta(0)),
        ({"webhook-timestamp": ""}, BODY, timedelta(0)),
        ({}, BODY, MINUTE * 6),
        ({}, BODY, MINUTE * -6),
    ],
)
def test_a_forged_or_old_message_is_refused(
    now: datetime, changes: dict[str, str], body: bytes, later: timedelta
) -> None:
    headers = {**sign(SECRET, "msg-1", BODY, now), **changes}
    with pytest.raises(ValueError, match=r"signed|time"):
        verify(SECRET, headers, body, now + later, window=MINUTE * 5)


def test_another_secret_does_not_fit(now: datetime) -> None:
    with pytest.raises(ValueError, match="this secret"):
        verify(secret_text(b"other" * 7), sign(SECRET, "m", BODY, now), BODY, now, window=MINUTE)
    with pytest.raises(ValueError, match="base64"):
        verify("whsec_not base64", sign(SECRET, "m", BODY, now), BODY, now, window=MINUTE)
