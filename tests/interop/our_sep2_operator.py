"""The conformance harness's hook for this project's own server of 2030.5: what is wanted, by its operator's API.

Its arguments are the operator's access file and the group that the device under test is in.
"""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openadr_vtn.cli.operator_api import OperatorApi, Refused


@dataclass(frozen=True, slots=True)
class OurOperator:
    api: OperatorApi
    group: str
    """Whose program is meant where none is named."""

    def does(self, action: str, wish: Mapping[str, str], lfdi: str) -> str:
        """What the hook prints."""
        acts = {
            "create-control": self._create_control, "cancel-control": self._cancel_control,
            "add-program": self._add_program, "change-program": self._change_program,
            "remove-program": self._remove_program, "set-default": self._set_default,
            "remove-default": self._remove_default, "add-curve": self._add_curve, "set-rate": self._set_rate,
            "set-post-rate": self._set_post_rate, "move-clock": self._move_clock,
            "withdraw-access": self._withdraw_access, "grant-access": self._grant_access,
        }  # fmt: skip
        return acts[action](wish, wish.get("lfdi", lfdi)) or ""

    def _create_control(self, wish: Mapping[str, str], _lfdi: str) -> str:
        randomized = {name: int(wish[name]) for name in ("randomize_start_s", "randomize_duration_s") if name in wish}
        start = datetime.fromtimestamp(int(wish["start"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        asked = {
            "kind": wish.get("kind", "DERControl"), "asks": json.loads(wish["asks"]), "start": start,
            "duration_s": int(wish["duration_s"]), **randomized,
        }  # fmt: skip
        return str(self.api.command(f"sep2/groups/{self._group(wish)}/controls", asked)["mrid"])

    def _cancel_control(self, wish: Mapping[str, str], _lfdi: str) -> None:
        self.api.command(f"sep2/controls/{wish['mrid']}/cancel", {"randomly": wish.get("randomly") == "true"})

    def _change_program(self, wish: Mapping[str, str], _lfdi: str) -> None:
        self.api.change(f"sep2/groups/{self._group(wish)}", {"primacy": int(wish["primacy"])})

    def _remove_program(self, wish: Mapping[str, str], _lfdi: str) -> None:
        self.api.remove(f"sep2/groups/{self._group(wish)}")

    def _set_default(self, wish: Mapping[str, str], _lfdi: str) -> None:
        self.api.change(f"sep2/groups/{self._group(wish)}/default", json.loads(wish["default"]))

    def _remove_default(self, wish: Mapping[str, str], _lfdi: str) -> None:
        self.api.remove(f"sep2/groups/{self._group(wish)}/default")

    def _add_curve(self, wish: Mapping[str, str], _lfdi: str) -> str:
        return str(self.api.command(f"sep2/groups/{self._group(wish)}/curves", json.loads(wish["curve"]))["href"])

    def _set_rate(self, wish: Mapping[str, str], _lfdi: str) -> None:
        seconds = int(wish["seconds"]) if wish["seconds"] else None
        self.api.change(f"sep2/rates/{wish['resource']}", {"seconds": seconds})

    def _set_post_rate(self, wish: Mapping[str, str], lfdi: str) -> None:
        self.api.change(f"sep2/devices/{lfdi}", {"post_rate_s": int(wish["seconds"])})

    def _move_clock(self, wish: Mapping[str, str], _lfdi: str) -> None:
        ahead_s = self.api.admin("sep2/clock")["ahead_s"]
        self.api.change("sep2/clock", {"ahead_s": ahead_s + int(wish["seconds"])})

    def _withdraw_access(self, _wish: Mapping[str, str], lfdi: str) -> None:
        self.api.change(f"sep2/devices/{lfdi}", {"enabled": False})

    def _grant_access(self, _wish: Mapping[str, str], lfdi: str) -> None:
        self.api.change(f"sep2/devices/{lfdi}", {"enabled": True})

    def _add_program(self, wish: Mapping[str, str], lfdi: str) -> str:
        name = f"conformance-{secrets.token_hex(8)}"
        place: dict[str, Any] = {"primacy": int(wish["primacy"])} if "primacy" in wish else {}
        place["parent"] = self._group({"program": wish["above"]}) if "above" in wish else self.group
        made = self.api.command("sep2/groups", {"name": name, **place})
        there = self.api.admin(f"sep2/devices/{lfdi}")["groups"]
        self.api.change(f"sep2/devices/{lfdi}", {"groups": [*there, name]})
        return str(made["mrid"])

    def _group(self, wish: Mapping[str, str]) -> str:
        """By the mRID of its program."""
        if "program" not in wish:
            return self.group
        found = [one["name"] for one in self._groups() if one["mrid"] == wish["program"]]
        if not found:
            raise Refused(f"there is no program {wish['program']}")
        return str(found[0])

    def _groups(self) -> list[dict[str, Any]]:
        return list(self.api.admin("sep2/groups"))


def main(access: str, group: str) -> None:
    ours = OurOperator(OperatorApi(Path(access)), group)
    wish = json.loads(os.environ["CONFORMANCE_WISH"])
    sys.stdout.write(ours.does(os.environ["CONFORMANCE_ACTION"], wish, os.environ["CONFORMANCE_VEN_ID"]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
