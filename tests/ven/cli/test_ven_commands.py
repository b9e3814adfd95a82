"""The agent's command line, as a stranger meets it: help, settings that are wrong, fleets, events."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from lxml import etree

from openadr_core.model.opt import OptType
from openadr_ven.adapters.fleet_store import FleetStore
from openadr_ven.cli.looping import run_async
from openadr_ven.cli.root import FAILED, WRONG_USE, Commands, cli
from openadr_ven.dispatch.guard import CAUTIOUS, EXPLANATIONS
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.settings import ProgramSettings, load
from tests.core.shell.lab import Lab
from tests.rig import BATTERIES_EACH, GATEWAYS
from tests.ven.application.world import store_at
from tests.ven.cli.conftest import Ven
from tests.ven.store.test_ven_store import a_held_event

SIZE = GATEWAYS * BATTERIES_EACH


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself(ven: Ven, path: tuple[str, ...]) -> None:
    out, _ = ven.run(*path, "--help", config=False)
    assert len(out.split("\n\n", 1)[1].split()) > 5
    assert "\b" not in out
    assert "..." not in out.partition("Commands:")[2], "a summary is cut off"


def test_the_summary_of_a_command_that_is_not_imported_yet_is_its_own() -> None:
    ctx = click.Context(cli)
    for name, (_, summary) in Commands.late.items():
        found = cli.get_command(ctx, name)
        assert found is not None
        assert found.short_help == summary, name


def test_help_imports_no_part_of_the_agent() -> None:
    asked = "import sys, openadr_ven.cli; openadr_ven.cli.main(['--help'])"
    code = f"import atexit, sys; atexit.register(lambda: print('openadr_ven.bootstrap' in sys.modules)); {asked}"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "Commands:" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "False"


# -- settings ------------------------------------------------------------------------


def test_init_writes_cautious_values_and_what_they_mean(ven: Ven) -> None:
    text = ven.config.read_text()
    envelope = tomllib.loads(text)["envelope"]
    for name, meaning in EXPLANATIONS.items():
        assert meaning in text
        value = getattr(CAUTIOUS, name)
        if value is not None:
            assert envelope[name] == getattr(value, "value", value)
    assert load(ven.config).envelope.event_max_w == CAUTIOUS.event_max_w


def test_init_overwrites_nothing(ven: Ven) -> None:
    before = ven.config.read_text()
    _, error = ven.run("init", ven.folder, config=False, status=WRONG_USE)
    assert "is there already" in error
    assert ven.config.read_text() == before


@pytest.mark.parametrize(
    ("pattern", "text", "named"),
    [
        (r"^\[envelope\](.|\n)*?(?=^\[fleet\])", "", "envelope: missing"),
        (r"^event_max_w = .*$", "", "envelope.event_max_w"),
        (r"^ramp_w_per_s = .*$", "ramp_w_per_s = -1", "envelope.ramp_w_per_s"),
        (r"^soc_floor = .*$", "soc_floor = 20", "envelope.soc_floor"),
        (r"^url = .*$", 'url = "http://vtn"', "vtn.url"),
        (r"^fingerprints = .*$", "fingerprints = []", "vtn.fingerprints"),
        (r"^fingerprints = .*$", 'fingerprints = ["12:34"]', "vtn.fingerprints"),
        (r"^poll_interval_s = .*$", 'poll_interval_s = "often"', "vtn.poll_interval_s"),
        (r"^certificate = .*$", 'certificate = "gone.pem"', "vtn.certificate"),
        (r"^renew_s = .*$", "renew_s = 20.0", "agent: renew_s must be at most half"),
        (r'^host = "127.0.0.1"\nport = 8082', 'host = "0.0.0.0"\nport = 8082', "console.host"),
        (r"^levels = .*$", "levels = [0.0, 2.0, 0.6, 1.0]", "programs.http://example.org/programs/relief.levels"),
        (r"^client_id = ", "clientid = ", "gateways.clientid"),
        (r"^timeout_s = .*$", "timeout_s = 4.9", "vtn.timeout_s"),
        (r"^\[log\]", '[push]\naddress = "http://ven.example/"\n[log]', "push.address"),
        (r"^\[log\]", '[push]\naddress = "https://u@ven.example/"\n[log]', "push.address"),
        (r"^\[log\]", "[push]\nport = 8443\n[log]", "push.address"),
        (r"^\[log\]", "[log", "not TOML"),
    ],
)
def test_a_wrong_setting_is_named(ven: Ven, pattern: str, text: str, named: str) -> None:
    ven.change(pattern, text)
    _, error = ven.run("check", status=WRONG_USE)
    assert named in error
    assert "Traceback" not in error


def test_settings_that_are_not_there(ven: Ven) -> None:
    _, error = ven.run("check", "--config", ven.folder / "other.toml", config=False, status=WRONG_USE)
    assert "`openadr-ven init` writes one" in error


def test_the_environment_overrides_the_file(ven: Ven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENADR_VEN_VTN__POLL_INTERVAL_S", "0.25")
    monkeypatch.setenv("OPENADR_VEN_ENVELOPE__EVENT_MAX_W", "7")
    settings = load(ven.config)
    assert settings.vtn is not None
    assert settings.vtn.poll_interval_s == 0.25
    assert settings.envelope.event_max_w == 7
    assert settings.vtn.ven_name == "my-ven"


@pytest.mark.openadr20b("T3", "T12", "R511")
def test_it_may_be_pushed_to_instead_of_polling(ven: Ven, fleet_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENADR_VEN_PUSH__ADDRESS", "https://ven.example:8443/ven/")
    monkeypatch.setenv("OPENADR_VEN_PUSH__PORT", "0")
    ven.run("fleet", "load", fleet_file)
    out, _ = ven.run("check")
    assert "which comes to https://ven.example:8443/ven/" in out


def test_check_says_what_is_missing_and_then_that_all_is_good(ven: Ven, fleet_file: Path) -> None:
    _, error = ven.run("check", status=WRONG_USE)
    assert "fleet.file" in error
    assert "openadr-ven fleet load" in error
    ven.run("fleet", "load", fleet_file)
    out, _ = ven.run("check")
    assert f"good: {SIZE} devices" in out
    assert ven.run("run", "--check")[0] == out


def test_the_fingerprint_is_the_one_to_pin(ven: Ven, lab: Lab) -> None:
    certificate = lab.chain("openadr-ecc-vtn").certificate
    out, _ = ven.run("fingerprint", certificate, config=False)
    vtn = load(ven.config).vtn
    assert vtn is not None
    assert vtn.fingerprints[0] in out
    assert re.search(r"OpenADR 2.0b +([0-9A-F]{2}:){9}[0-9A-F]{2}\n", out)
    _, error = ven.run("fingerprint", ven.config, config=False, status=WRONG_USE)
    assert "no PEM certificate" in error


# -- fleets --------------------------------------------------------------------------


def spoil(fleet_file: Path, line: int) -> None:
    lines = fleet_file.read_text().splitlines()
    lines[line - 1] = lines[line - 1].replace("battery,", "toaster,", 1)
    fleet_file.write_text("\n".join(lines) + "\n")


def test_a_fleet_goes_in_and_is_shown(ven: Ven, fleet_file: Path) -> None:
    out, _ = ven.run("fleet", "load", fleet_file)
    assert f"{SIZE} devices loaded" in out
    shown, _ = ven.run("fleet", "show")
    assert re.search(rf"battery +{SIZE} +300 +810", shown)
    assert f"{SIZE} devices, {GATEWAYS} vendors, {GATEWAYS} gateways" in shown


def test_a_bad_row_is_told_by_its_line_and_nothing_is_loaded(ven: Ven, fleet_file: Path) -> None:
    ven.run("fleet", "load", fleet_file)
    before = FleetStore(load(ven.config).fleet.file).current()
    spoil(fleet_file, 7)
    _, error = ven.run("fleet", "load", fleet_file, status=WRONG_USE)
    assert "line 7" in error
    assert "toaster" in error
    assert FleetStore(load(ven.config).fleet.file).current() == before


def test_or_the_rest_is_loaded_as_asked(ven: Ven, fleet_file: Path) -> None:
    spoil(fleet_file, 7)
    out, error = ven.run("fleet", "load", fleet_file, "--skip-bad-rows")
    assert f"{SIZE - 1} devices loaded" in out
    assert "1 rows left out" in out
    assert "line 7" in error


# -- events --------------------------------------------------------------------------


def test_events_are_listed(after_an_event: Ven) -> None:
    out, _ = after_an_event.run("event", "list")
    assert re.search(r"event-1 +0 +\w+ +2026-07-15 18:30:00 +relief 5,000 kW +optIn", out)
    (listed,) = json.loads(after_an_event.run("event", "list", "--json")[0])
    assert listed["event"] == "event-1"


def test_an_event_is_shown_from_what_was_asked_to_what_fell_short(after_an_event: Ven) -> None:
    out, _ = after_an_event.run("event", "show", "event-1")
    for line in (
        r"asked +5,000\.0 +100\.0%", r"allowed by the envelope +5,000\.0", r"commanded +5,000\.0",
        r"acknowledged +4,500\.0 +90\.0%", r"delivered +4,500\.0 +90\.0%", r"offline +500\.0",
        r"optIn gladly", r"event received: version 0", r"mean over 10 s",
    ):  # fmt: skip
        assert re.search(line, out), (line, out)


def test_and_for_programs_as_json(after_an_event: Ven) -> None:
    shown: dict[str, Any] = json.loads(after_an_event.run("event", "show", "event-1", "--json")[0])
    assert shown["delivered"]["asked_w"] == 5e6
    assert shown["delivered"]["shortfall_w"] == {"offline": 5e5}
    assert shown["opts"][0]["opt"] == "optIn"


def test_an_event_that_is_not_there(after_an_event: Ven) -> None:
    _, error = after_an_event.run("event", "show", "nothing", status=WRONG_USE)
    assert "no event nothing" in error


def test_a_fleet_is_drawn_loaded_exported_and_gone_back_to(ven: Ven, fleet_file: Path) -> None:
    drawn, exported = ven.folder / "drawn.csv", ven.folder / "exported.csv"
    out, progress = ven.run("fleet", "generate", drawn, "--devices", "300", config=False)
    assert "300 devices" in out
    assert "nameplate 0.6 MW" in out
    assert "names and terms" in progress
    ven.run("fleet", "load", fleet_file)
    ven.run("fleet", "load", drawn)
    listed, _ = ven.run("fleet", "versions")
    assert re.search(r"2 .* 300 +loaded from drawn.csv +in use", listed)
    ven.run("fleet", "export", exported)
    assert exported.read_text() == drawn.read_text()
    assert f"version 1: {SIZE} devices" in ven.run("fleet", "use", "1")[0]
    assert f"{SIZE} devices" in ven.run("fleet", "show")[0]


def test_what_the_fleet_is_good_for_is_printed_drawn_and_told_to_programs(ven: Ven) -> None:
    drawn, picture = ven.folder / "drawn.store", ven.folder / "curve.svg"
    ven.run("fleet", "generate", drawn, "--devices", "2000", config=False)
    out, _ = ven.run("capability", "--fleet", drawn, "--assume", "evening", "--plot", picture, "--network")
    assert re.search(r"all devices +[\d.]+ +[\d.]+", out)
    assert "MW within 10 s" in out
    assert "nothing is firm yet" in out
    root = etree.fromstring(picture.read_bytes())
    assert len(root.findall(".//{http://www.w3.org/2000/svg}polygon")) >= 3
    told = json.loads(ven.run("capability", "--fleet", drawn, "--assume", "evening", "--json")[0])
    assert told["durations_s"][0] == 900.0
    assert sum(told["by_class_w"]["battery"]) > 0.0
    for by in ("latency", "feeder"):
        assert "f1" in ven.run("capability", "--fleet", drawn, "--assume", "evening", "--by", by)[0] or by == "latency"


def test_without_telemetry_nothing_is_guessed(ven: Ven, fleet_file: Path) -> None:
    ven.run("fleet", "load", fleet_file)
    _, error = ven.run("capability", status=WRONG_USE)
    assert "--assume evening" in error


def test_a_condition_begins_is_shown_and_ends(ven: Ven) -> None:
    assert "no" in ven.run("condition", "show")[0]
    ven.run("condition", "begin", "storm")
    assert f"storm      {datetime.now(UTC):%Y-%m-%d}" in ven.run("condition", "show")[0]
    ven.run("condition", "end", "storm")
    assert "no" in ven.run("condition", "show")[0]


@pytest.mark.openadr20b("R407")
def test_a_registration_is_shown_ended_and_begun(ven: Ven) -> None:
    assert "not registered" in ven.run("registration", "show")[0]
    ven.run("registration", "leave")
    assert "to stay away since" in ven.run("registration", "show")[0]
    ven.run("registration", "join")
    assert "stay away" not in ven.run("registration", "show")[0]


def test_a_program_has_a_policy_of_those_that_there_are(ven: Ven) -> None:
    names = get_args(ProgramSettings.__annotations__["policy"])
    assert sorted(names) == sorted(POLICIES)


def test_a_wrong_command_is_told(ven: Ven) -> None:
    _, error = ven.run("fleet", "sell", config=False, status=WRONG_USE)
    assert "No such command" in error
    assert FAILED != WRONG_USE


# -- opt ------------------------------------------------------------------------------------


def told(ven: Ven, code: str = "451", description: str = "not here") -> None:
    """What a running agent writes when the VTN has answered."""

    async def tell() -> None:
        store = await store_at(ven.folder)
        async with store.unit_of_work() as unit:
            for order in await unit.opt_orders():
                await unit.opt_told(order.number, code, description, datetime.now(UTC))
        await store.close()

    run_async(tell())


@pytest.mark.openadr20b("R200", "R204", "R208")
def test_what_is_said_of_availability_is_listed_with_the_vtns_answer(ven: Ven, fleet_file: Path) -> None:
    ven.run("fleet", "load", fleet_file)
    said, _ = ven.run("opt", "out", "--when", "now/4h", "--when", "2030-07-01T16:00:00Z/ever", "--reason", "emergency")
    opt_id, _, rest = said.partition(": ")
    assert rest.strip() == f"optOut for {SIZE} devices"
    ven.run("opt", "in", "--device-class", "Storage", "--when", "now/90s", "--reason", "x-party")
    ven.run("opt", "cancel", opt_id)
    rows = json.loads(ven.run("opt", "list", "--json")[0])
    assert [(row["opt"] == opt_id, row["says"], row["for"], row["vtn"]) for row in rows] == [
        (True, "cancel", "", "not told yet"),
        (False, "optIn", "Storage", "not told yet"),
        (True, "optOut", "all", "not told yet"),
    ]
    assert "2030-07-01 16:00:00 to for ever" in rows[2]["when"]
    told(ven)
    assert "451 not here" in ven.run("opt", "list")[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("out", "--when", "tomorrow/4h"), "begins neither now"),
        (("out", "--when", "now/4"), "lasts neither ever"),
        (("out", "--when", "now/0h"), "lasts neither ever"),
        (("in", "--resource", "nobody"), "nothing in this fleet is called nobody"),
        (("in", "--device-class", "Batteries"), "knows no device class Batteries"),
        (("in", "--program", "http://other.example/"), "takes part in no program"),
        (("out", "--reason", "tired"), "--reason tired"),
        (("cancel", "nothing"), "no opt schedule nothing"),
        (("event", "nothing", "out"), "no event nothing"),
    ],
)
def test_what_cannot_be_said_is_named_and_not_said(
    ven: Ven, fleet_file: Path, arguments: tuple[str, ...], said: str
) -> None:
    ven.run("fleet", "load", fleet_file)
    _, error = ven.run("opt", *arguments, status=WRONG_USE)
    assert said in error
    assert json.loads(ven.run("opt", "list", "--json")[0]) == []


@pytest.mark.openadr20b("R206", "R211", "O5", "O6")
def test_an_event_is_qualified_for_some_or_all(ven: Ven, fleet_file: Path) -> None:
    ven.run("fleet", "load", fleet_file)
    now = datetime.now(UTC).replace(microsecond=0)

    async def fill() -> None:
        store = await store_at(ven.folder)
        async with store.unit_of_work() as unit:
            held = a_held_event(now)
            silent = replace(held.event, id="silent", response_required=False)
            await unit.save_events([held])
            await unit.save_events([replace(held, event=silent, opt=replace(held.opt, event_id="silent"))])
            over = replace(held.event, id="over", starts_at=now - timedelta(hours=1))
            refused = replace(held.opt, event_id="refused", opt_type=OptType.OUT)
            await unit.save_events([replace(held, event=over, opt=replace(held.opt, event_id="over"))])
            await unit.save_events([replace(held, event=replace(held.event, id="refused"), opt=refused)])
        await store.close()

    run_async(fill())
    said, _ = ven.run("opt", "event", "event-1", "out", "--resource", "gateway-1", "--reason", "mustRun")
    ven.run("opt", "event", "silent", "out")
    assert "is over" in ven.run("opt", "event", "over", "out", status=WRONG_USE)[1]
    assert "opt all of it in first" in ven.run(
        "opt", "event", "refused", "in", "--resource", "gateway-1", status=WRONG_USE
    )[1]  # fmt: skip
    ven.run("opt", "event", "refused", "in")
    rows = json.loads(ven.run("opt", "list", "--json")[0])
    assert [(row["when"], row["for"], row["vtn"]) for row in rows] == [
        ("event refused", "all", "not told yet"),
        ("event silent", "all", "the event wants no answer"),
        ("event event-1", "gateway-1", "not told yet"),
    ]
    assert "saying something else" in ven.run("opt", "cancel", said.partition(":")[0], status=WRONG_USE)[1]
