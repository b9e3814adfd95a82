"""A VTN that is killed while it tells a 2030.5 subscriber: nothing is lost, and an operator sees how telling goes."""

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from openadr_core.sep2.controls import DERControlList
from openadr_core.sep2.decode import read
from openadr_core.sep2.devices import EndDeviceList
from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.subscriptions import Notification, Subscription
from openadr_core.shell.tls import Chain, client_context, server_context
from openadr_core.xml.parse import parse
from tests.free_ports import free_ports
from tests.vtn.cli.conftest import Utility, init
from tests.vtn.cli.test_sep2_commands import Device, DeviceFiles

LIST = "/derp/1/derc"
NOTIFICATIONS = """
[sep2.notifications]
networks = ["127.0.0.0/8", "::1/128"]
ports = [{port}]
retry_max_s = 1
attempts_max = 4
"""


@dataclass
class Receiver:
    """The subscriber's end: it takes what it is told, says that it is down, or keeps us waiting."""

    port: int
    status: int = 201
    asked: int = 0
    told: list[list[str]] = field(default_factory=list)
    """The mRIDs of each list that it took."""
    answering: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/notify"

    def hear(self, body: bytes) -> int:
        status = self.status
        if status == 201:
            notification = read(parse(body))
            assert isinstance(notification, Notification)
            assert isinstance(notification.resource, DERControlList)
            self.told.append([control.mrid for control in notification.resource.der_control])
        self.asked += 1
        self.answering.wait(20)
        return status

    @contextmanager
    def listening(self, files: DeviceFiles) -> Iterator[None]:
        self.answering.set()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        server.daemon_threads = True
        context = server_context("sep2-strict", [files.chain], [files.trust])
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            self.answering.set()
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status = receiver.hear(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def until(what: str, is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < ends, what
        time.sleep(0.05)


def mint(config: Path, run: Callable[..., str]) -> DeviceFiles:
    folder = config.parent / "inverter"
    run(
        "certificate", "mint", "--profile", "sep2-device", "--name", "inverter", "--out", str(folder),
        "--authorities", str(config.parent / "certs"),
    )  # fmt: skip
    chain = Chain(certificate=folder / "inverter.pem", key=folder / "inverter.key")
    return DeviceFiles(chain=chain, trust=folder / "trust.pem")


def subscribe(utility: Utility, device: Device, url: str) -> None:
    assert device.http.get("/dcap").status_code == 200
    utility.run("party", "approve", utility.read("party", "list")[0]["id"], "--name", "solar-co")
    utility.run("device", "add-group", "feeder-7")
    utility.run("device", "add", "solar-co", device.peer.lfdi, "--group", "feeder-7")
    (own,) = device.get("/edev?l=5", EndDeviceList).end_device
    assert own.subscription_list_link is not None
    wish = Subscription(subscribed_resource=LIST, encoding=0, level="+S1", limit=10, notification_uri=url)
    body = encode(wish, csipaus=CsipAus.V1_2)
    headers = {"Content-Type": "application/sep+xml"}
    assert device.http.post(own.subscription_list_link.href, content=body, headers=headers).status_code == 201


def listed(device: Device) -> list[str]:
    return [control.mrid for control in device.get(f"{LIST}?l=10", DERControlList).der_control]


@pytest.mark.ieee2030_5("N3", "N4")
@pytest.mark.timeout(180)
def test_nothing_is_lost_over_kills_and_what_was_given_up_is_sent_again(
    start: Callable[[Path], Utility], tmp_path: Path
) -> None:
    config = init(tmp_path / "utility", "--sep2-pen", "28547", "--sep2-port", str(free_ports(1)[0]))
    receiver = Receiver(free_ports(1)[0])
    config.write_text(config.read_text() + NOTIFICATIONS.format(port=receiver.port))
    utility = start(config)
    files = mint(config, utility.run)
    context = client_context("sep2-strict", files.chain, [files.trust])

    def ask(limit: str) -> None:
        utility.run("control", "create", "feeder-7", f"{limit}=100000", "--duration", "30m")

    def kill_and_start() -> Utility:
        utility.process.kill()
        utility.process.wait(10)
        return start(config)

    with (
        receiver.listening(files),
        httpx.Client(verify=context, base_url=utility.ready["sep2"], trust_env=False) as client,
    ):
        device = Device(http=client, peer=files.peer)
        subscribe(utility, device, receiver.url)
        ask("opModExpLimW")
        until("the first control is told", lambda: receiver.told[-1:] == [listed(device)])
        first = len(receiver.told)

        # Killed while the receiver was down: told when it is back, once.
        receiver.status = 503
        asked = receiver.asked
        ask("opModImpLimW")
        until("the receiver is tried", lambda: receiver.asked > asked)
        utility = kill_and_start()
        receiver.status = 201
        until("the second control is told", lambda: receiver.told[-1:] == [listed(device)])
        assert len(receiver.told) == first + 1

        # Killed when the receiver had it and we had not heard so: that one is told again, and once.
        receiver.answering.clear()
        ask("opModGenLimW")
        until("the receiver has it", lambda: len(receiver.told) == first + 2)
        utility = kill_and_start()
        receiver.answering.set()
        until("it is told again", lambda: len(receiver.told) == first + 3)
        assert receiver.told[-1] == receiver.told[-2] == listed(device)

        _seen_and_sent_again(utility, device, receiver, lambda: ask("opModLoadLimW"))
    utility.process.terminate()
    assert utility.process.wait(10) == 0


def _seen_and_sent_again(utility: Utility, device: Device, receiver: Receiver, ask: Callable[[], None]) -> None:
    until("all is told", lambda: utility.read("device", "subscriptions")[0]["state"] != "waiting")
    (one,) = utility.read("device", "subscriptions")
    assert (one["lfdi"], one["resource"], one["notification_uri"]) == (device.peer.lfdi, LIST, receiver.url)
    told = len(receiver.told)
    receiver.status = 503
    ask()
    until("it is given up", lambda: utility.read("device", "subscriptions", "--given-up") != [])
    shown = utility.run("device", "subscriptions", "--given-up")
    assert device.peer.lfdi in shown
    assert "503" in shown
    receiver.status = 201
    assert utility.run("device", "replay", "--id", str(one["id"])) == "To be sent again: 1\n"
    until("it is sent again", lambda: receiver.told[told:] == [listed(device)])
    until("it is told", lambda: utility.read("device", "subscriptions", "--given-up") == [])
    assert utility.run("device", "replay") == "To be sent again: 0\n"
    assert "Nothing was given up" in utility.run("device", "subscriptions", "--given-up")
