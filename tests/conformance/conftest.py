"""Certificates for the harness's own tests, a stranger's VTN for it to judge, and one that answers as it is told."""

import asyncio
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from conformance.client.steps import Identity
from conformance.vtn.target import Target
from openadr_core.pki import Profile, issue, make_authority, parse_profile
from openadr_core.shell.tls import Chain, server_context

ROOT = Path(__file__).resolve().parents[2]
OPENLEADR_VTN = ROOT / "tests" / "interop" / "openleadr_vtn.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A small certificate authority's work, as files."""

    folder: Path

    @property
    def trust(self) -> Path:
        return self.folder / "root.pem"

    def chain(self, name: str) -> Chain:
        return Chain(certificate=self.folder / f"{name}.pem", key=self.folder / f"{name}.key")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    now = datetime.now(UTC)
    folder = tmp_path_factory.mktemp("lab")
    authority = make_authority("Lab root", _profile("openadr-ecc-root"), now)
    (folder / "root.pem").write_bytes(authority.certificate_pem)
    for name in ("vtn", "ven", "other", "pending", "expired"):
        profile = _profile("openadr-ecc-vtn" if name == "vtn" else "openadr-ecc-ven")
        hosts = {"dns_names": ["localhost"], "ip_addresses": ["127.0.0.1"]}
        then, days = (now - timedelta(days=30), 1) if name == "expired" else (now, None)
        issued = issue(profile, name, authority, then, days=days, **hosts)
        (folder / f"{name}.pem").write_bytes(issued.chain_pem)
        (folder / f"{name}.key").write_bytes(issued.key_pem)
    return Lab(folder=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request as the scripted VTN saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The client's port: equal for requests on one connection."""


Script = Callable[[Heard], web.Response]


@dataclass(slots=True, kw_only=True)
class ScriptedVtn:
    """Answers what the test tells it to, over mutual TLS, and remembers what it heard."""

    target: Target
    script: Script
    heard: list[Heard] = field(default_factory=list)


@pytest.fixture
def scripted_vtn(lab: Lab) -> Iterator[ScriptedVtn]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    vtn: ScriptedVtn

    async def answer(request: web.Request) -> web.Response:
        heard = Heard(
            method=request.method,
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            connection=request.get_extra_info("peername")[1],
        )
        vtn.heard.append(heard)
        return vtn.script(heard)

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_server(lab)).start()
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    target = Target(
        url=f"https://127.0.0.1:{runner.addresses[0][1]}",
        trust=lab.trust,
        certificates={Identity.ENROLLED: lab.chain("ven"), Identity.OTHER: lab.chain("other")},
        timeout_s=5.0,
    )
    vtn = ScriptedVtn(target=target, script=lambda heard: web.Response(status=500, text=heard.path))
    try:
        yield vtn
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A running VTN that is not ours."""

    url: str
    hook: str


@pytest.fixture
def openleadr_vtn(lab: Lab) -> Iterator[Stranger]:
    vtn = lab.chain("vtn")
    command = [
        sys.executable, str(OPENLEADR_VTN), "serve",
        "--certificate", str(vtn.certificate), "--key", str(vtn.key), "--trust", str(lab.trust),
        "--enrol", "ven", str(lab.chain("ven").certificate), "--enrol", "other", str(lab.chain("other").certificate),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            ready = next(json.loads(line) for line in process.stdout if line.startswith("{"))
            hook = f"{sys.executable} {OPENLEADR_VTN} event --control {ready['control']}"
            yield Stranger(url=ready["url"], hook=hook)
        finally:
            process.kill()


def _server(lab: Lab) -> ssl.SSLContext:
    return server_context("modern-2.0b", [lab.chain("vtn")], [lab.trust])


def _profile(name: str) -> Profile:
    return parse_profile(name, (ROOT / "certs" / "profiles" / f"{name}.toml").read_text())
