"""Hypothesis strategies for every 2.0b message, derived from the dataclasses themselves."""

import types
import typing
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from openadr_core.oadr2 import messages as m

PAYLOADS: tuple[type, ...] = typing.get_args(m.Message)

# Every character that XML can hold and that a parser gives back as it was written.
_text = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_moments = st.integers(0, 250_000_000_000_000_000).map(
    lambda microseconds: _EPOCH + timedelta(microseconds=microseconds)
)
_lengths = st.integers(0, 40_000_000).map(lambda seconds: timedelta(seconds=seconds))
_floats = st.floats(allow_nan=False, width=32)
_si_scales = st.sampled_from(["p", "n", "micro", "m", "c", "d", "k", "M", "G", "T", "none"])
_attributes = st.builds(
    m.PowerAttributes, hertz=st.sampled_from(["50", "60.0"]), voltage=st.just("230"), ac=st.booleans()
)

# Description and units of most are fixed by the schema.
_FIXED_UNITS = {
    "voltage": ("Voltage", "V"),
    "energyApparent": ("ApparentEnergy", "VAh"),
    "energyReactive": ("ReactiveEnergy", "VARh"),
    "energyReal": ("RealEnergy", "Wh"),
    "powerApparent": ("ApparentPower", "VA"),
    "powerReactive": ("ReactivePower", "VAR"),
    "powerReal": ("RealPower", "W"),
    "current": ("Current", "A"),
    "frequency": ("Frequency", "Hz"),
    "Therm": ("Therm", "thm"),
    "temperature": ("temperature", "celsius"),
    "currency": ("currency", "USD"),
    "currencyPerKW": ("currencyPerKW", "EUR"),
    "currencyPerKWh": ("currencyPerKWh", "USD"),
}


def _unit(name: str, si_scale_code: str, attributes: m.PowerAttributes) -> m.Unit:
    description, units = _FIXED_UNITS[name]
    return m.Unit(
        name=name,
        description=description,
        units=units,
        si_scale_code=si_scale_code,
        attributes=attributes if name.startswith("power") else None,
    )


_units = st.one_of(
    st.builds(_unit, st.sampled_from(sorted(_FIXED_UNITS)), _si_scales, _attributes),
    st.builds(m.Unit, name=st.just("customUnit"), description=_text, units=_text, si_scale_code=_si_scales),
    st.builds(
        m.Unit,
        name=st.just("pulseCount"),
        description=st.just("pulse count"),
        units=st.just("count"),
        pulse_factor=_floats,
    ),
)

_feeds = st.sampled_from(
    [
        """<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:x:1</id><title>A</title><updated>2026-07-14T12:00:00Z</updated></feed>""",
        """<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:id>urn:x:2</a:id><a:title>B &lt; C</a:title>
<a:updated>2026-07-14T12:00:00Z</a:updated><a:entry><a:content><gb:ReadingType xmlns:gb="http://naesb.org/espi">
<gb:uom>72</gb:uom></gb:ReadingType></a:content><a:id></a:id></a:entry></a:feed>""",
    ]
)
_positions = st.lists(st.integers(-180, 180).map(str), min_size=2, max_size=8).map(" ".join)

_BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "response_code": st.sampled_from(["200", "450", "452", "463"]),
    "profile_name": st.sampled_from(["2.0a", "2.0b"]),
    "transport_name": st.sampled_from(["simpleHttp", "xmpp"]),
    "transport_names": st.sampled_from([("simpleHttp",), ("simpleHttp", "xmpp")]),
    "profiles": st.lists(
        st.builds(
            m.Profile,
            profile_name=st.sampled_from(["2.0a", "2.0b"]),
            transport_names=st.just(("simpleHttp",)),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
    "opt_type": st.sampled_from(["optIn", "optOut"]),
    "opt_reason": st.sampled_from(["economic", "x-schedule", "x-other"]),
    "event_status": st.sampled_from(["none", "far", "near", "active", "completed", "cancelled"]),
    "signal_name": st.sampled_from(["SIMPLE", "simple", "LOAD_DISPATCH", "x-ours"]),
    "signal_type": st.sampled_from(["level", "delta", "x-loadControlCapacity"]),
    "report_name": st.none() | st.sampled_from(["TELEMETRY_USAGE", "METADATA_TELEMETRY_STATUS", "x-ours"]),
    "report_type": st.sampled_from(["usage", "baseline", "x-resourceStatus"]),
    "reading_type": st.sampled_from(["Direct Read", "x-notApplicable"]),
    "data_quality": st.none() | st.sampled_from(["Quality Good - Non Specific", "No New Value - Previous Value Used"]),
    "market_context": st.sampled_from(["http://utility.example/p1", "urn:x:1"]),
    "confidence": st.none() | st.integers(0, 100),
    "modification_number": st.integers(0, 2**32 - 1),
    "priority": st.none() | st.integers(0, 2**32 - 1),
    "reply_limit": st.none() | st.integers(0, 2**32 - 1),
    "item_base": st.none() | _units,
    "ReportDescription.green_button": st.none() | _feeds,
    "ReportInterval.green_button": st.lists(_feeds, max_size=2).map(tuple),
    "service_areas": st.lists(_positions, max_size=2).map(tuple),
    "service_locations": st.lists(_positions, max_size=2).map(tuple),
    # R200: never on the wire, so it cannot come back.
    "Available.misplaced": st.just(()),
    # R103: never on the wire, so it cannot come back.
    "Interval.dtstart": st.none(),
}
# What the schema wants at least one of.
_AT_LEAST_ONE = {
    "Signal.intervals", "Baseline.intervals", "Event.signals", "CreateReport.report_requests",
    "CancelReport.report_request_ids", "ReportSpecifier.payloads", "ReportInterval.payloads",
}  # fmt: skip


@cache
def of(cls: type) -> st.SearchStrategy[Any]:
    """A strategy for one of the message classes."""
    hints = typing.get_type_hints(cls)
    built = st.builds(cls, **{field.name: _of_field(cls, field.name, hints[field.name]) for field in fields(cls)})
    if cls is m.CreateOpt:
        # R206: an event form names its event whole, a schedule form names none.
        return built.map(_whole_event)
    if cls is m.ReportDescription:
        return built.map(lambda one: replace(one, item_base=None) if one.green_button else one)
    if cls is m.ReportSpecifier:
        return built.map(_whole_interval)
    return built


def _of_field(cls: type, name: str, hint: Any) -> st.SearchStrategy[Any]:
    for key in (f"{cls.__name__}.{name}", name):
        if key in _BY_FIELD:
            found = _BY_FIELD[key]
            optional = type(None) in typing.get_args(hint) and key == "market_context"
            return st.none() | found if optional else found
    return _of_type(hint, at_least=1 if f"{cls.__name__}.{name}" in _AT_LEAST_ONE else 0)


def _of_type(hint: Any, *, at_least: int = 0) -> st.SearchStrategy[Any]:
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: _text,
        bool: st.booleans(),
        float: _floats,
        int: st.integers(0, 1000),
        datetime: _moments,
        timedelta: _lengths,
        type(None): st.none(),
    }
    if hint in simple:
        return simple[hint]
    if is_dataclass(hint):
        return of(typing.cast("type", hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return st.lists(_of_type(arguments[0]), min_size=at_least, max_size=max(2, at_least)).map(tuple)
    if origin in {types.UnionType, typing.Union}:
        return st.one_of(*(_of_type(argument) for argument in arguments))
    raise AssertionError(f"no strategy for {hint}")


def _whole_event(opt: m.CreateOpt) -> m.CreateOpt:
    values = {field.name: getattr(opt, field.name) for field in fields(opt)}
    if opt.event_id is None or opt.modification_number is None:
        values |= {"event_id": None, "modification_number": None}
    return m.CreateOpt(**values)


def _whole_interval(specifier: m.ReportSpecifier) -> m.ReportSpecifier:
    values = {field.name: getattr(specifier, field.name) for field in fields(specifier)}
    if specifier.dtstart is None or specifier.duration is None:
        values |= {"dtstart": None, "duration": None}
    return m.ReportSpecifier(**values)
