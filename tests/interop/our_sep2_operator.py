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
        lfdi = wish.get("lfdi", lfdi)
        match action:
            case "create-control":
                return self._create_control(wish)
            case "cancel-control":
                randomly = wish.get("randomly") == "true"
                self.api.command(f"sep2/controls/{wish['mrid']}/cancel", {"randomly": randomly})
            case "add-program":
                return self._add_program(wish, lfdi)
            case "change-program":
                self.api.change(f"sep2/groups/{self._group(wish)}", {"primacy": int(wish["primacy"])})
            case "remove-program":
                self.api.remove(f"sep2/groups/{self._group(wish)}")
            case "set-default":
                self.api.change(f"sep2/groups/{self._group(wish)}/default", json.loads(wish["default"]))
            case "remove-default":
                self.api.remove(f"sep2/groups/{self._group(wish)}/default")
            case "add-curve":
                curve = json.loads(wish["curve"])
                return str(self.api.command(f"sep2/groups/{self._group(wish)}/curves", curve)["href"])
            case "set-rate":
                seconds = int(wish["seconds"]) if wish["seconds"] else None
                self.api.change(f"sep2/rates/{wish['resource']}", {"seconds": seconds})
            case "set-post-rate":
                self.api.change(f"sep2/devices/{lfdi}", {"post_rate_s": int(wish["seconds"])})
            case "withdraw-access" | "grant-access":
                self.api.change(f"sep2/devices/{lfdi}", {"enabled": action == "grant-access"})
        return ""

    def _create_control(self, wish: Mapping[str, str]) -> str:
        randomized = {name: int(wish[name]) for name in ("randomize_start_s", "randomize_duration_s") if name in wish}
        start = datetime.fromtimestamp(int(wish["start"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        asked = {
            "kind": wish.get("kind", "DERControl"), "asks": json.loads(wish["asks"]), "start": start,
            "duration_s": int(wish["duration_s"]), **randomized,
        }  # fmt: skip
        return str(self.api.command(f"sep2/groups/{self._group(wish)}/controls", asked)["mrid"])

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
