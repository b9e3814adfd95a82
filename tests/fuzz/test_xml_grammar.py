"""Documents grown from a grammar of nasty pieces: never a crash, never slow, and never looser than expat (T24, T28)."""

import os
import random
import time
from xml.parsers import expat

from openadr_core.errors import MalformedMessage, SchemaViolation
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.messages import EiResponse, Poll, Response
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import parse

RUNS = int(os.environ.get("OPENADR_FUZZ_RUNS", "20000"))
SLOWEST_S = 0.1

NAMES = ["a", "b", "x:a", "xmlns:x", "xmlns", "oadr:oadrPoll", "é", "1bad", ""]
TEXTS = [
    "",
    "t",
    "&amp;",
    "&#65;",
    "&#0;",
    "&bad;",
    "<![CDATA[x]]>",
    "]]>",
    "<!-- c -->",
    "<?pi x?>",
    "\u00e9",
    "\ufffe",
]
PROLOGS = [
    "",
    "<?xml version='1.0'?>",
    "<?xml version='1.0' encoding='UTF-8'?>",
    "<?xml version='1.1'?>",
    " <?xml version='1.0'?>",
    "<!DOCTYPE a>",
    "<!DOCTYPE a [<!ENTITY bad 'x'>]>",
    "<?xml version='1.0' standalone='yes'?>",
    "\ufeff",
    "<!-- c -->",
]


def grow(dice: random.Random, depth: int = 0) -> str:
    """One element, well-formed more often than not."""
    name = dice.choices(NAMES, [8, 8, 3, 1, 1, 2, 1, 1, 1])[0]
    attributes = "".join(
        f' {dice.choice(NAMES)}="{dice.choice(["", "v", "urn:x", "&amp;", "<"])}"'
        for _ in range(dice.choice([0, 0, 0, 1, 2]))
    )
    if dice.random() < 0.3 or depth > 4:
        return f"<{name}{attributes}/>"
    inner = "".join(
        grow(dice, depth + 1) if dice.random() < 0.5 else dice.choice(TEXTS) for _ in range(dice.randrange(4))
    )
    closing = name if dice.random() < 0.97 else dice.choice(NAMES)
    return f"<{name}{attributes}>{inner}</{closing}>"


def damaged(dice: random.Random, body: bytes) -> bytes:
    """The bytes with a few flipped, cut or repeated."""
    changed = bytearray(body)
    for _ in range(dice.randrange(1, 4)):
        if not changed:
            break
        at = dice.randrange(len(changed))
        match dice.randrange(3):
            case 0:
                changed[at] = dice.randrange(256)
            case 1:
                del changed[at : at + dice.randrange(1, 20)]
            case _:
                changed[at:at] = changed[at : at + dice.randrange(1, 20)]
    return bytes(changed)


def expat_accepts(body: bytes) -> bool:
    parser = expat.ParserCreate("utf-8", namespace_separator="|")
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        return False
    return True


def test_nothing_passes_that_expat_refuses() -> None:
    dice = random.Random(7)
    passed = 0
    for _ in range(RUNS):
        body = (dice.choice(PROLOGS) + grow(dice)).encode("utf-8", "surrogatepass")
        if dice.random() < 0.3:
            body = damaged(dice, body)
        started = time.perf_counter()
        try:
            parse(body)
        except MalformedMessage:
            continue
        finally:
            assert time.perf_counter() - started < SLOWEST_S, body
        passed += 1
        assert expat_accepts(body), body
    # The grammar must make both kinds, or the comparison is empty.
    assert RUNS / 20 < passed < RUNS


def test_damaged_messages_are_read_or_refused_and_nothing_else() -> None:
    dice = random.Random(8)
    messages = [
        encode(Poll(ven_id="VEN_1")),
        encode(Response(response=EiResponse(response_code="200", request_id="r"), ven_id="VEN_1")),
    ]
    read = 0
    for _ in range(RUNS // 4):
        try:
            decode(damaged(dice, dice.choice(messages)), load_schema())
        except (MalformedMessage, SchemaViolation):
            continue
        read += 1
    assert 0 < read < RUNS // 4
