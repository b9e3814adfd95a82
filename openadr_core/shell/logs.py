"""Logs as one JSON object a line, which no peer can forge, flood or read secrets from.

The composition root calls `configure_logs` once. Everybody else takes `structlog.get_logger(__name__)`
and logs a fixed event text with values beside it, never a text that a peer had a hand in. `bind` lets
one id follow an event through everything that is done on its account.
"""

import logging
import math
import re
import sys
import unicodedata
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, TextIO

import structlog

from openadr_core.limits import LOG_ITEMS_MAX, LOG_NESTING_MAX, LOG_TRACE_MAX_CHARS, LOG_VALUE_MAX_CHARS

REDACTED = "[redacted]"
SECRET_NAME = re.compile(
    r"token|secret|passw|authorization|cookie|credential|private_key|key_pem|api_?key", re.IGNORECASE
)
SECRET_VALUE = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|\b(?:Bearer|bearer|Basic)\s+[\w.~+/=-]{16,}")
LEVELS = ("debug", "info", "warning", "error")


def configure_logs(*, level: str = "info", human: bool = False, stream: TextIO | None = None) -> None:
    """Send every record of this process, structlog's and the standard library's, to ``stream`` (stderr if not given).

    ``human`` asks for coloured lines for a person; it counts only if the stream is a terminal.
    """
    stream = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    # `Any` for a processor's arguments is structlog's own type for them.
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    ending: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if human and stream.isatty():
        ending += [clean, structlog.dev.ConsoleRenderer(timestamp_key="time")]
    else:
        ending += [structlog.processors.format_exc_info, clean, structlog.processors.JSONRenderer()]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=ending))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    # It tells of every tick, each second, at the level at which we tell of events.
    logging.getLogger("apscheduler").setLevel(max(threshold, logging.WARNING))


def bind(**ids: str) -> AbstractContextManager[None]:
    """A block in which every record carries these, also those of tasks started in it."""
    return structlog.contextvars.bound_contextvars(**ids)


def clean(_logger: object, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The record with secrets redacted, control characters escaped and long values cut."""
    trace = record.pop("exception", None)
    cleaned = _clean_mapping(record, 0)
    if isinstance(trace, str):
        # The end of a traceback says what went wrong; its lines stay lines, for JSON escapes them.
        cleaned["exception"] = "\n".join(_printable(line) for line in trace[-LOG_TRACE_MAX_CHARS:].split("\n"))
    if isinstance(raised := record.get("exc_info"), tuple | BaseException | bool):
        cleaned["exc_info"] = raised  # for the console, which draws it itself
    return cleaned


def _clean_mapping(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    kept = list(values.items())[:LOG_ITEMS_MAX]
    return {
        _text(str(name)): REDACTED if SECRET_NAME.search(str(name)) else _clean_value(value, depth)
        for name, value in kept
    }


def _clean_value(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return _text(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping) and depth < LOG_NESTING_MAX:
        return _clean_mapping(value, depth + 1)
    if isinstance(value, list | tuple | set | frozenset) and depth < LOG_NESTING_MAX:
        return [_clean_value(item, depth + 1) for item in list(value)[:LOG_ITEMS_MAX]]
    return _text(str(value))


def _text(text: str) -> str:
    # A secret is looked for in all of it, lest a cut hide the mark by which it is known.
    if SECRET_VALUE.search(text):
        return REDACTED
    cut = text[:LOG_VALUE_MAX_CHARS]
    return _printable(cut) + ("…" if len(text) > len(cut) else "")


def _printable(text: str) -> str:
    """Control, format (bidirectional), surrogate and line separator characters, by their escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else character
        for character in text
    )
