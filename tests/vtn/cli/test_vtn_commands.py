"""An operator's commands against a VTN that runs, and what a stranger is told."""

import json
import os
import signal
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from openadr_core.errors import TimedOut
from openadr_core.shell.tls import Chain, client_context
from openadr_vtn.cli.event import create_once
from openadr_vtn.cli.main import Commands, main
from openadr_vtn.cli.operator_api import OperatorApi
from tests.vtn.cli.conftest import Utility, command, init

SERVICE = "/OpenADR2/Simple/2.0b/OadrPoll"


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = command(*path, "--help")
    assert result.exit_code == 0
    words = result.output.split("\n\n", 1)[1]
    assert len(words.split()) > 5
    assert "\b" not in result.output
    assert "..." not in result.output.partition("Commands:")[2], "a summary is cut off"


def test_the_summary_of_a_command_that_is_not_imported_yet_is_its_own() -> None:
    for name, (_, summary) in Commands.late.items():
        found = main.get_command(click.Context(main), name)
        assert found is not None
        assert found.get_short_help_str(limit=100) == summary, name


def test_init_keeps_secrets_to_their_owner(made: Path) -> None:
    secrets = [made / "operator.toml", made / "vtn.db", made / "secrets.key", *(made / "certs").glob("*.key")]
    assert len(secrets) >= 9
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_init_changes_nothing_that_is_there(made: Path) -> None:
    before = {path: path.read_bytes() for path in made.rglob("*.toml")}
    result = command("init", str(made))
    assert (result.exit_code, "is there already" in result.output) == (1, True)
    assert {path: path.read_bytes() for path in made.rglob("*.toml")} == before


def test_a_new_key_takes_over_the_stores_secrets(tmp_path: Path) -> None:
    config = init(tmp_path / "utility")
    new = config.with_name("secrets-2.key")
    assert command("store", "key", str(new)).exit_code == 0
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert command("store", "key", str(new)).exit_code == 1, "a key is not replaced"
    assert command("client", "rotate-key", "--config", str(config)).exit_code == 0
    written = config.read_text()
    config.write_text(written.replace('["secrets.key"]', '["secrets-2.key", "secrets.key"]'))
    assert command("client", "list", "--config", str(config)).exit_code == 0
    config.write_text(written.replace('["secrets.key"]', '["secrets-2.key"]'))
    assert command("client", "list", "--config", str(config)).exit_code == 0
    config.write_text(written)
    refused = command("client", "list", "--config", str(config))
    assert (refused.exit_code, "secret_keys" in refused.output) == (1, True)


def test_what_init_made_is_good(made: Path) -> None:
    assert command("check", "--config", str(made / "vtn.toml")).exit_code == 0
    assert command("run", "--check", "--config", str(made / "vtn.toml")).exit_code == 0


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("port = ", "prot = ", "parties.prot"),
        ('host = "127.0.0.1"\nport = {console}', 'host = "0.0.0.0"\nport = {console}', "console.host"),
        ("poll_interval_s = 10", "poll_interval_s = 0", "parties.poll_interval_s"),
        ("poll_interval_s = 10", 'poll_interval_s = "soon"', "parties.poll_interval_s"),
        ('profile = "modern-2.0b"', 'profile = "old"', "parties.profile"),
        ("certs/vtn-rsa.pem", "certs/lost.pem", "parties.certificates.0.certificate"),
        ("certs/operator.key", "certs/lost.key", "operator.certificates.0.key"),
        ("certs/vtn-rsa.key", "certs/vtn-ecc.key", "vtn-rsa.pem"),
        ("certs/openadr-rsa-root.pem", "certs/lost.pem", "parties.trust"),
        ("certs/openadr-rsa-root.pem", "certs/vtn-rsa.key", "vtn-rsa.key"),
        ("[guard]\n", "[guards]\n", "guard"),
        ("event_max_kw = 10_000", "event_max_kw = -1", "guard.event_max_kw"),
        ("granularity_s = 60", "granularity_s = 7", "reports"),
        ('url = "sqlite:///vtn.db"', 'url = "mysql://x"', "store.url"),
        ('level = "info"', 'level = "loud"', "log.level"),
        ('id = "VTN-1"', 'id = "a b"', "vtn.id"),
        ("[vtn]", "[vtn", "not TOML"),
    ],
)
def test_check_names_the_wrong_setting(made: Path, before: str, after: str, named: str) -> None:
    text = (made / "vtn.toml").read_text()
    port = text.partition("[console]")[2].partition("port = ")[2].split()[0]
    before, after = before.replace("{console}", port), after.replace("{console}", port)
    assert before in text
    wrong = made / "wrong.toml"
    wrong.write_text(text.replace(before, after, 1))
    result = command("check", "--config", str(wrong))
    assert (result.exit_code, named in result.output) == (2, True), result.output
    assert "Traceback" not in result.output


def test_the_environment_overrides_and_is_named_too(made: Path) -> None:
    config = str(made / "vtn.toml")
    wrong = command("check", "--config", config, environment={"OPENADR_VTN_PARTIES__PORT": "high"})
    assert (wrong.exit_code, "OPENADR_VTN_PARTIES__PORT" in wrong.output) == (2, True)
    no_json = command("check", "--config", config, environment={"OPENADR_VTN_PARTIES": "high"})
    assert (no_json.exit_code, "OPENADR_VTN_" in no_json.output) == (2, True)
    missing = command("check", "--config", str(made / "nothing.toml"))
    assert (missing.exit_code, "openadr-vtn init" in missing.output) == (2, True)


def test_without_a_vtn_or_without_access(made: Path, tmp_path: Path) -> None:
    unreached = command("party", "list", "--operator", str(made / "operator.toml"))
    assert (unreached.exit_code, "is openadr-vtn running?" in unreached.output) == (1, True)
    absent = command("party", "list", "--operator", str(tmp_path / "operator.toml"))
    assert (absent.exit_code, "openadr-vtn init" in absent.output) == (2, True)


def test_an_event_from_beginning_to_end(utility: Utility) -> None:
    assert "no program yet" in utility.run("program", "list")
    utility.run("program", "create", "peak", "--relief-sign", "POSITIVE", "--target", "feeder-7")
    assert "peak" in utility.run("program", "list")
    assert json.loads(utility.run("program", "show", "peak"))["targets"] == ["feeder-7"]
    relative = ("--payload-type", "DISPATCH_SETPOINT_RELATIVE", "--value", "5000", "--units", "KW")
    event = utility.read("event", "create", "--program", "peak", *relative, "--duration", "120s", "--name", "evening")
    assert event["intervalPeriod"] == {"start": "0001-01-01T00:00:00Z", "duration": "PT120S"}
    shown = utility.run("event", "show", event["id"])
    assert "relief 5,000 kW" in shown
    assert "active, version 0" in shown
    assert "evening" in shown
    assert event["id"] in utility.run("event", "list")
    assert utility.run("stop", "--reason", "drill") == f"Stopped: {event['id']}.\n"
    assert "cancelled, version 1" in utility.run("event", "show", event["id"])
    assert "Nothing was running" in utility.run("stop")
    assert "No party has reported" in utility.run("report", "list")


def test_starts_and_durations_as_people_write_them(utility: Utility) -> None:
    utility.run("program", "create", "levels")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    for start, duration, written in ((tomorrow.isoformat(), "4h", "PT4H"), (tomorrow.isoformat(), "P9999Y", "P9999Y")):
        level = ("--program", "levels", "--payload-type", "SIMPLE", "--value", "1")
        event = utility.read("event", "create", *level, "--start", start, "--duration", duration)
        assert datetime.fromisoformat(event["intervalPeriod"]["start"]) == tomorrow
        assert event["intervalPeriod"]["duration"] == written
        utility.run("event", "cancel", event["id"])
    refused = utility.run("event", "create", *level, "--start", "tomorrow", "--duration", "1h", status=2)
    assert "--start" in refused
    assert "intervalPeriod.duration" in utility.run("event", "create", *level, "--duration", "long", status=1)
    utility.run("program", "create", "brief")
    assert "is removed" in utility.run("program", "remove", "brief")
    assert "there is no program brief" in utility.run("program", "show", "brief", status=1)


def test_what_only_2_0b_knows_has_an_option(utility: Utility) -> None:
    utility.run("program", "create", "prices", "--attribute", "EVENT_OVERLAP=REFUSED")
    assert json.loads(utility.run("program", "show", "prices"))["attributes"] == [
        {"type": "EVENT_OVERLAP", "values": ["REFUSED"]}
    ]
    price = ("--program", "prices", "--payload-type", "PRICE", "--value", "3.14", "--currency", "USD")
    told = ("--comment", "hot", "--test", "--no-answer", "--ramp-up", "-4m", "--recovery", "10m", "--start-after", "2m")
    whom = ("--group", "north", "--resource", "heater-7", "--device-class", "Storage")
    event = utility.read("event", "create", *price, *told, *whom, "--duration", "5m")
    assert {one["type"]: one["values"] for one in event["attributes"]} == {
        "TEST_EVENT": [True], "VTN_COMMENT": ["hot"], "RESPONSE_REQUIRED": ["NEVER"], "RAMP_UP": ["-PT4M"],
        "RECOVERY": ["PT10M"], "START_AFTER": ["PT2M"], "GROUP_ID": ["north"], "RESOURCE_ID": ["heater-7"],
    }  # fmt: skip
    assert event["payloadDescriptors"][0]["deviceClasses"] == ["Storage"]
    assert "electricity price 3.14 USD/kWh (Storage)" in utility.run("event", "show", event["id"])
    utility.run("event", "cancel", event["id"])
    assert "no currency" in utility.run("event", "create", *price[:-2], "--duration", "5m", "--dry-run")


def test_what_only_openadr_3_knows_has_an_option_too(utility: Utility) -> None:
    utility.run("program", "create", "site limits")
    limit = ("--payload-type", "IMPORT_CAPACITY_LIMIT", "--value", "4.2")
    event = utility.read("event", "create", "--program", "site limits", *limit, "--duration", "1h")
    assert event["payloadDescriptors"][0]["units"] == "KW"
    utility.run("event", "cancel", event["id"])
    alert = ("--payload-type", "ALERT_FIRE", "--value", "leave the valley")
    event = utility.read("event", "create", "--program", "site limits", *alert, "--duration", "1h")
    assert event["intervals"][0]["payloads"] == [{"type": "ALERT_FIRE", "values": ["leave the valley"]}]
    utility.run("event", "cancel", event["id"])
    wrong = ("event", "create", "--program", "site limits", *limit[:3], "lots", "--duration", "1h")
    assert "'lots' is not a number" in utility.run(*wrong, status=2)


class LosingApi(OperatorApi):
    """Loses its first answers, as a network may."""

    def __init__(self, lost: int) -> None:
        self.lost = lost
        self.sent: list[tuple[bytes | None, dict[str, str]]] = []

    def write(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        assert (method, path) == ("POST", "events")
        self.sent.append((body, headers))
        if len(self.sent) <= self.lost:
            raise TimedOut("no answer")
        return {"id": "i1"}


def test_an_event_whose_answer_is_lost_is_asked_for_once_more_under_the_same_key() -> None:
    api = LosingApi(lost=1)
    assert create_once(api, b"{}", "k-1") == {"id": "i1"}
    assert api.sent == [(b"{}", {"Idempotency-Key": "k-1"})] * 2
    silent = LosingApi(lost=9)
    with pytest.raises(TimedOut, match="--key k-1"):
        create_once(silent, b"{}", "k-1")
    assert len(silent.sent) == 2


def test_a_key_that_is_given_makes_one_event(utility: Utility) -> None:
    utility.run("program", "create", "once")
    level = ("--program", "once", "--payload-type", "SIMPLE", "--value", "1", "--duration", "1h", "--key", "k-1")
    first, again = [utility.read("event", "create", *level) for _ in range(2)]
    assert first == again
    utility.run("event", "cancel", first["id"])


def test_files_instead_of_options(utility: Utility, tmp_path: Path) -> None:
    document = tmp_path / "program.json"
    document.write_text('{"programName": "from a file", "x-note": 1.50}')
    assert utility.read("program", "create", "--file", str(document))["x-note"] == 1.5
    utility.run("program", "create", status=2)
    document.write_text('{"programName": 5}')
    assert "programName: is not a text" in utility.run("program", "create", "--file", str(document), status=1)


def test_an_event_is_changed_from_a_file(utility: Utility, tmp_path: Path) -> None:
    program = utility.read("program", "create", "to change")
    document = tmp_path / "event.json"
    event = {
        "programID": program["id"],
        "intervalPeriod": {"start": "2030-07-01T18:00:00Z", "duration": "PT1H"},
        "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}],
    }
    document.write_text(json.dumps(event))
    made = utility.read("event", "create", "--file", str(document))
    event["intervals"] = [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [2]}]}]
    document.write_text(json.dumps(event))
    assert "is changed" in utility.run("event", "change", made["id"], "--file", str(document))
    found = utility.read("event", "show", made["id"])
    assert (found["version"], found["asks"]) == (1, "level 2")
    utility.run("event", "cancel", made["id"])
    utility.run("event", "change", made["id"], status=2)


def test_a_party_knocks_and_is_let_in(utility: Utility) -> None:
    certs, ven = utility.folder / "certs", utility.folder / "ven-1"
    minted = command("certificate", "mint", "--name", "ven-1", "--authorities", str(certs), "--out", str(ven))
    assert minted.exit_code == 0, minted.output
    fingerprint = next(line.split()[1] for line in minted.output.splitlines() if line.startswith("fingerprint"))
    assert fingerprint in command("certificate", "show", str(ven / "ven-1.pem")).output
    chain = Chain(certificate=ven / "ven-1.pem", key=ven / "ven-1.key")
    tls = client_context("modern-2.0b", chain, [ven / "trust.pem"])
    assert "No party" in utility.run("party", "list")
    with httpx.Client(base_url=utility.ready["parties"], verify=tls, trust_env=False) as http:
        assert http.post(SERVICE, content=b"<poll/>", headers={"Content-Type": "application/xml"}).status_code == 406
        poll = (
            b'<oadrPayload xmlns="http://openadr.org/oadr-2.0b/2012/07"><oadrSignedObject>'
            b'<oadrPoll xmlns:ei="http://docs.oasis-open.org/ns/energyinterop/201110" ei:schemaVersion="2.0b">'
            b"<ei:venID>ven-1</ei:venID></oadrPoll></oadrSignedObject></oadrPayload>"
        )
        assert b"463" in http.post(SERVICE, content=poll, headers={"Content-Type": "application/xml"}).content
    assert f"{fingerprint}" in utility.run("party", "list", "--state", "pending")
    assert "is approved" in utility.run("party", "approve", fingerprint, "--name", "acme", "--target", "feeder-7")
    (party,) = utility.read("party", "list")
    assert (party["name"], party["state"], party["targets"]) == ("acme", "approved", ["feeder-7"])
    again = command("certificate", "mint", "--name", "ven-2", "--authorities", str(certs), "--out", str(ven))
    assert again.exit_code == 0
    utility.run("party", "replace-certificate", "acme", str(ven / "ven-2.pem"), "--keep")
    assert len(utility.read("party", "list")[0]["certificates"]) == 2
    utility.run("party", "refuse", "acme", "--reason", "moved away")
    assert "refused" in utility.run("party", "list")


@pytest.mark.openadr20b("G13", "R402", "R403", "R407")
def test_a_party_is_known_before_it_comes_and_asked_to_do_things(utility: Utility) -> None:
    said = utility.run(
        "party", "preconfigure", "early", "--sha256", "5" * 64, "--ven-id", "EARLY_1", "--registration-id", "paper-7",
        "--poll-interval", "20",
    )  # fmt: skip
    assert "may come (id EARLY_1)" in said
    assert "every 60 s" in utility.run("party", "poll-interval", "early", "60")
    utility.run("party", "request-reregistration", "early")
    utility.run("party", "cancel-registration", "early")
    shown = utility.run("party", "show", "early")
    for part in ("EARLY_1", "paper-7", "every 60 s", "RegisterReport", "RequestReregistration", "CancelPartyReg"):
        assert part in shown
    assert [one["kind"] for one in utility.read("party", "show", "EARLY_1")["waiting"]] == [
        "RegisterReport", "RequestReregistration", "CancelPartyRegistration",
    ]  # fmt: skip
    utility.run("party", "refuse", "early")


@pytest.mark.openadr20b("R201", "O10")
def test_availability_is_asked_for_at_a_terminal(utility: Utility) -> None:
    utility.run("party", "preconfigure", "shy-fleet", "--sha256", "7" * 64)
    utility.run("program", "create", "shy", "--attribute", "OPT_DEFAULT=optOut")
    assert "No party has made" in utility.run("opt", "list")
    assert "shy-fleet" in utility.run("opt", "availability", "--party", "shy-fleet")
    (one,) = utility.read("opt", "availability", "--party", "shy-fleet", "--program", "shy", "--resource", "r1")
    assert [step["type"] for step in one["steps"]] == ["optOut"]
    utility.run("opt", "availability", "--program", "nothing", status=1)
    utility.run("party", "refuse", "shy-fleet")


def test_a_stranger_without_a_certificate_gets_nowhere(utility: Utility) -> None:
    tls = client_context("modern-2.0b", None, [utility.folder / "certs" / "openadr-ecc-root.pem"])
    with (
        httpx.Client(base_url=utility.ready["parties"], verify=tls, trust_env=False) as http,
        pytest.raises((httpx.TransportError, ssl.SSLError)),
    ):
        http.post(SERVICE, content=b"")


def test_a_client_that_may_only_stop(utility: Utility) -> None:
    profile = utility.folder / "night.toml"
    made = command(
        "client", "create", "night-desk", "--scope", "read_all", "--scope", "stop", "--out", str(profile),
        "--config", str(utility.folder / "vtn.toml"),
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600
    assert command("stop", "--operator", str(profile)).exit_code == 0
    refused = command("program", "create", "x", "--operator", str(profile))
    assert (refused.exit_code, "write_programs" in refused.output) == (1, True)
    config = ("--config", str(utility.folder / "vtn.toml"))
    (row,) = [line for line in command("client", "list", *config).output.splitlines() if "night-desk" in line]
    assert "read_all stop" in row
    assert "night-desk is removed" in command("client", "remove", row.split()[-1], *config).output
    assert "night-desk" not in command("client", "list", *config).output
    ends_s = time.monotonic() + 10
    while command("stop", "--operator", str(profile)).exit_code == 0:
        assert time.monotonic() < ends_s, "a removed client is let in"
    again = command("client", "remove", row.split()[-1], *config)
    assert (again.exit_code, "there is no client" in again.output) == (1, True)


def test_a_ven_gets_a_client_and_a_token_over_the_listener_for_openadr_3(utility: Utility) -> None:
    config = ("--config", str(utility.folder / "vtn.toml"))
    minted = command(
        "certificate", "mint", "--profile", "openadr-ecc-ven", "--name", "acme", "--authorities",
        str(utility.folder / "certs"), "--out", str(utility.folder / "vens"),
    )  # fmt: skip
    assert minted.exit_code == 0, minted.output
    chain = Chain(certificate=utility.folder / "vens" / "acme.pem", key=utility.folder / "vens" / "acme.key")
    made = command("client", "create", "acme", "--role", "ven", "--certificate", str(chain.certificate), *config)
    client_id, secret = (line.split()[1] for line in made.output.splitlines())
    context = client_context("oadr3", chain, [utility.folder / "certs" / "openadr-ecc-root.pem"])
    with httpx.Client(base_url=utility.ready["oadr3"], verify=context, trust_env=False) as http:

        def token(secret: str) -> httpx.Response:
            asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
            return http.post("/openadr3/3.1.0/auth/token", data=asked)

        bearer = {"Authorization": f"Bearer {token(secret).json()['access_token']}"}
        assert http.get("/openadr3/3.1.0/events", headers=bearer).json() == []
        assert http.post("/openadr3/3.1.0/programs", json={"programName": "x"}, headers=bearer).status_code == 403
        rotated = command("client", "rotate", client_id, "--grace-hours", "0", *config).output.split()[-1]
        assert (token(secret).status_code, token(rotated).status_code) == (401, 200)
    (row,) = [line for line in command("client", "list", *config).output.splitlines() if line.startswith("acme ")]
    assert ("ven" in row.split(), row.split()[-1]) == (True, client_id)
    assert "still count: 1" in command("client", "rotate-key", *config).output
    assert "still count: 0" in command("client", "rotate-key", "--revoke", *config).output
    wrong = command("client", "create", "x", "--role", "ven", "--scope", "stop", *config)
    assert (wrong.exit_code, "role ven has no scope stop" in wrong.output) == (1, True)


def test_the_console_opens_with_the_address_that_was_printed(utility: Utility) -> None:
    with httpx.Client(trust_env=False, follow_redirects=True) as http:
        assert http.get(utility.ready["console"].partition("?")[0]).status_code == 401
        assert "Events" in http.get(utility.ready["console"]).text
        base = utility.ready["console"].partition("/?")[0]
        assert http.get(f"{base}/health").json() == {"status": "ready"}
        shown = http.get(f"{base}/metrics").text
    for name in (
        "openadr_vtn_commands_total",
        "openadr_vtn_parties",
        "openadr_vtn_polls_total",
        "cert_seconds_left",
        "clock_drift_seconds",
    ):
        assert name in shown


def test_renewed_certificates_are_taken_without_a_restart(utility: Utility) -> None:
    certs = utility.folder / "certs"

    def served() -> bytes:
        host, _, port = utility.ready["operator"].removeprefix("https://").partition(":")
        return ssl.get_server_certificate((host, int(port))).encode()

    before = served()
    minted = command(
        "certificate", "mint", "--profile", "openadr-ecc-vtn", "--name", "renewed", "--host", "127.0.0.1",
        "--host", "localhost", "--authorities", str(certs), "--out", str(utility.folder / "renewed"),
    )  # fmt: skip
    assert minted.exit_code == 0, minted.output
    for suffix in ("pem", "key"):
        (certs / f"operator.{suffix}").write_bytes((utility.folder / "renewed" / f"renewed.{suffix}").read_bytes())
    utility.process.send_signal(signal.SIGHUP)
    give_up = time.monotonic() + 10
    while served() == before:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    utility.run("party", "list")


def test_an_address_in_use_is_named(utility: Utility, tmp_path: Path) -> None:
    config = init(tmp_path / "second")
    port = utility.ready["parties"].rpartition(":")[2]
    # In a process of its own: `run` sets up logging for the whole of one.
    taken = subprocess.run(
        [sys.executable, "-m", "openadr_vtn", "run", "--config", str(config)],
        env={**os.environ, "OPENADR_VTN_PARTIES__PORT": port}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (taken.returncode, f"parties.port: 127.0.0.1:{port}" in taken.stderr) == (2, True), taken.stderr


def test_a_ven_is_made_granted_shown_and_removed(utility: Utility) -> None:
    made = utility.read("ven", "create", "house-12", "--client", "ven-12", "--target", "north")
    assert (made["clientID"], made["targets"]) == ("ven-12", ["north"])
    utility.run("ven", "grant", "house-12", "--target", "south")
    shown = json.loads(utility.run("ven", "show", made["id"]))
    assert (shown["targets"], shown["resources"]) == (["south"], [])
    assert [one["venName"] for one in utility.read("ven", "list", "--target", "south")] == ["house-12"]
    assert "house-12" in utility.run("ven", "list")
    utility.run("ven", "remove", "house-12")
    assert "there is no ven house-12" in utility.run("ven", "show", "house-12", status=1)
