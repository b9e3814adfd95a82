"""Where the curves of a group are."""

import re

from openadr_core.errors import RuleBroken


def curve_address(group_id: int, number: int) -> str:
    return f"/derp/{group_id}/dc/{number}"


def number_of(href: str, group_id: int, mode: str) -> int:
    """Which of the group's curves it is; RuleBroken if it is none of them."""
    found = re.fullmatch(rf"/derp/{group_id}/dc/([1-9][0-9]{{0,8}})", href)
    if found is None:
        raise RuleBroken(f"{mode}: {href[:64]} is no curve of this group, whose curves are at /derp/{group_id}/dc/")
    return int(found[1])
