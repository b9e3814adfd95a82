"""Logs: one record is one JSON object on one line, whatever a peer has put into it (security T37)."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.limits import LOG_ITEMS_MAX, LOG_VALUE_MAX_CHARS
from openadr_core.shell.logs import REDACTED, bind, clean, configure_logs
from openadr_core.shell.sampling import Sampler

log = structlog.get_logger("tests")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    taken = io.StringIO()
    configure_logs(stream=taken)
    return taken


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_lone_surrogate_is_escaped() -> None:
    # Straight to the processor: a test runner that keeps what was logged cannot send it on as UTF-8.
    cleaned = clean(None, "info", {"event": "refused", "said": "\ud800"})
    assert str(cleaned["said"]).isascii()


@pytest.mark.parametrize(
    "said",
    [
        'line\n{"event": "forged"}', "\r\n", "\x1b[31mred\x1b[0m", "%s %(name)s {0}", "x" * 10_000, "\x00\x7f\x9b",
        "\u2028\u2029", "\u202egnp.exe", "{event}", "ünïcode",
    ],
    ids=lambda said: ascii(said)[:30],
)  # fmt: skip
def test_peer_text_stays_one_line_of_plain_characters(stream: io.StringIO, said: str) -> None:
    log.info("refused", said=said, nested={"deep": [said]}, raw=said.encode("utf-8", "surrogatepass"))
    logging.getLogger("somebody.else").warning("peer said %s", said)
    text = stream.getvalue()
    assert len(text.split("\n")) == 3
    assert text.replace("\n", "").isascii()
    assert text.replace("\n", "").isprintable()
    first, second = records(stream)
    assert first["event"] == "refused"
    # Not only the bytes of the log: what a viewer decodes and prints is harmless as well.
    assert first["said"].isprintable()
    assert len(first["said"]) <= 10 * LOG_VALUE_MAX_CHARS
    assert second["event"].startswith("peer said ")
    assert second["logger"] == "somebody.else"


def test_a_long_value_is_cut(stream: io.StringIO) -> None:
    log.info("refused", said="x" * 100_000, many=list(range(10_000)))
    (record,) = records(stream)
    assert record["said"] == "x" * LOG_VALUE_MAX_CHARS + "…"
    assert len(record["many"]) == LOG_ITEMS_MAX


def test_a_record_tells_when_who_and_how_bad(stream: io.StringIO) -> None:
    log.warning("late", seconds=3.5, number=7, ok=True, nothing=None, endless=float("inf"))
    (record,) = records(stream)
    assert record.pop("time").endswith("Z")
    assert record == {
        "event": "late", "level": "warning", "logger": "tests",
        "seconds": 3.5, "number": 7, "ok": True, "nothing": None, "endless": "inf",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["access_token", "client_secret", "Password", "Authorization", "key_pem", "set-cookie"]
)
def test_what_is_named_a_secret_is_not_written(stream: io.StringIO, name: str) -> None:
    log.info("settings", **{name: "hush"}, settings={name: ["hush"]})
    assert "hush" not in stream.getvalue()
    assert records(stream)[0][name] == REDACTED


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN EC " + "PRIVATE KEY-----\nhush", "Bearer hush.hush.hush.hush",
        "x" * 10_000 + " Basic aHVzaDpodXNoaHVzaA==",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_not_written(stream: io.StringIO, value: str) -> None:
    log.info("request", header=value)
    logging.getLogger("library").info("sending %s", value)
    assert [record.get("header", record["event"]) for record in records(stream)] == [REDACTED, REDACTED]


def test_a_traceback_is_one_line_too(stream: io.StringIO) -> None:
    try:
        raise ValueError("peer said \x1b[31m\nforged")
    except ValueError:
        log.exception("failed")
    (record,) = records(stream)
    assert record["exception"].startswith("Traceback")
    assert "\x1b" not in record["exception"]


def test_one_id_follows_an_event(stream: io.StringIO) -> None:
    with bind(event_id="e1"):
        log.info("sent")
        logging.getLogger("library").info("carried")
    log.info("after")
    assert [record.get("event_id") for record in records(stream)] == ["e1", "e1", None]


def test_below_the_level_nothing_is_written() -> None:
    taken = io.StringIO()
    configure_logs(level="warning", stream=taken)
    log.info("quiet")
    logging.getLogger("library").info("quiet")
    log.warning("loud")
    assert [record["event"] for record in records(taken)] == ["loud"]


def test_a_person_at_a_terminal_gets_lines_to_read() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    configure_logs(human=True, stream=terminal)
    log.info("ready", said="\x1b[2Jcleared")
    assert "ready" in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue()
    configure_logs(human=True, stream=file)
    log.info("ready")
    assert records(file)[0]["event"] == "ready"


@given(
    st.dictionaries(
        st.text(), st.recursive(st.none() | st.text() | st.floats() | st.binary(), st.lists, max_leaves=4), max_size=4
    )
)
def test_any_record_becomes_json(record: dict[str, Any]) -> None:
    text = json.dumps(clean(None, "", {"event": "x", **record}), allow_nan=False)
    assert "\n" not in text


def test_a_flood_is_counted_and_not_written() -> None:
    sampler = Sampler(burst=2, window_s=10.0)
    assert [sampler.take("bad", at) for at in (0.0, 1.0, 2.0, 3.0)] == [0, 0, None, None]
    assert sampler.take("other", 3.0) == 0
    assert [sampler.take("bad", at) for at in (10.0, 11.0, 12.0)] == [2, 0, None]


@given(st.lists(st.tuples(st.text(max_size=2), st.floats(0, 5)), max_size=200))
def test_nothing_is_lost_from_the_count(flood: list[tuple[str, float]]) -> None:
    sampler = Sampler(burst=3, window_s=1.0)
    clock, taken, told = 0.0, 0, 0
    for kind, pause in flood:
        clock += pause
        left_out = sampler.take(kind, clock)
        taken += left_out is not None
        told += left_out or 0
    left = sum(window.left_out for window in sampler._windows.values())
    assert taken + told + left == len(flood)
