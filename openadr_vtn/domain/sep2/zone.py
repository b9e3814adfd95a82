"""What Time says of the server's place: its zone, and when its summer time begins and ends."""

from datetime import UTC, datetime, timedelta, tzinfo

DAY_S = 86_400


def zone_facts(zone: tzinfo, now: int) -> tuple[int, int, int, int]:
    """TzOffset and dstOffset in seconds, dstStartTime and dstEndTime: of the summer time that is, or comes next.

    Interpretation: where there is none, its start and end are zero.
    """
    begins = _last_start(zone, now) if _summer(zone, now) else _next_switch(zone, now, to_summer=True)
    if begins is None:
        return _offset(zone, now), 0, 0, 0
    ends = _next_switch(zone, begins, to_summer=False)
    return _offset(zone, begins - 1), _summer(zone, begins), begins, begins if ends is None else ends


def _next_switch(zone: tzinfo, since: int, *, to_summer: bool) -> int | None:
    """The first second from ``since`` on, within a year, at which summer time begins, or ends."""
    for day in range(367):
        early, late = since + day * DAY_S, since + (day + 1) * DAY_S
        if bool(_summer(zone, early)) != to_summer and bool(_summer(zone, late)) == to_summer:
            return _bisected(zone, early, late, to_summer=to_summer)
    return None


def _last_start(zone: tzinfo, now: int) -> int | None:
    for day in range(367):
        late, early = now - day * DAY_S, now - (day + 1) * DAY_S
        if _summer(zone, late) and not _summer(zone, early):
            return _bisected(zone, early, late, to_summer=True)
    return None


def _bisected(zone: tzinfo, early: int, late: int, *, to_summer: bool) -> int:
    while late - early > 1:
        middle = (early + late) // 2
        if bool(_summer(zone, middle)) == to_summer:
            late = middle
        else:
            early = middle
    return late


def _summer(zone: tzinfo, at: int) -> int:
    """By how many seconds the clocks are put forward."""
    return int((zone.dst(_local(zone, at)) or timedelta()).total_seconds())


def _offset(zone: tzinfo, at: int) -> int:
    """Of the zone, without summer time."""
    return int((zone.utcoffset(_local(zone, at)) or timedelta()).total_seconds()) - _summer(zone, at)


def _local(zone: tzinfo, at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(zone)
