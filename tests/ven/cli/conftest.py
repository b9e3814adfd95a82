"""An agent's folder, as `init` makes it, and what commands say there."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from openadr_ven.cli.looping import run_async
from openadr_ven.cli.root import main
from openadr_ven.domain.held import Delivery, Notice
from tests.core.shell.lab import Lab
from tests.rig import write_small_fleet
from tests.ven.application.world import store_at
from tests.ven.store.test_ven_store import a_held_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Ven:
    """A folder that ``init`` made, and what commands say there."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def config(self) -> Path:
        return self.folder / "ven.toml"

    def run(self, *arguments: str | Path, status: int = 0, config: bool = True) -> tuple[str, str]:
        """What a command prints, on either stream."""
        self.capsys.readouterr()
        last = ["--config", str(self.config)] if config else []
        try:
            main([*map(str, arguments), *last])
            ended = 0
        except SystemExit as end:
            ended = int(str(end.code))
        out, error = self.capsys.readouterr()
        assert ended == status, (out, error)
        return out, error

    def change(self, pattern: str, text: str) -> None:
        """Edit the settings, as a hand would."""
        settings = self.config.read_text()
        assert re.search(pattern, settings, flags=re.MULTILINE), pattern
        self.config.write_text(re.sub(pattern, text, settings, count=1, flags=re.MULTILINE))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture
def ven(tmp_path: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> Ven:
    made = Ven(folder=tmp_path / "ven", capsys=capsys)
    chain = lab.chain("openadr-ecc-ven")
    vtn = x509.load_pem_x509_certificate(lab.chain("openadr-ecc-vtn").certificate.read_bytes())
    made.run(
        "init", made.folder, "--vtn-url", "https://localhost:1", "--trust", lab.trust("ecc"),
        "--vtn-fingerprint", vtn.fingerprint(hashes.SHA256()).hex(),
        "--certificate", chain.certificate, "--key", chain.key, config=False,
    )  # fmt: skip
    return made


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    return write_small_fleet(tmp_path / "fleet.csv")


@pytest.fixture
def after_an_event(ven: Ven, now: datetime) -> Ven:
    """The store of an agent that has followed one."""

    def account(second: int, asked_w: float, delivered_w: float) -> Delivery:
        return Delivery(
            event_id="event-1", at=now + timedelta(seconds=second), seconds=5.0, asked_w=asked_w, allowed_w=asked_w,
            commanded_w=asked_w, acknowledged_w=0.9 * asked_w, delivered_w=delivered_w,
            shortfall_w={"offline": 500_000.0} if asked_w else {},
        )  # fmt: skip

    async def fill() -> None:
        store = await store_at(ven.folder)
        async with store.unit_of_work() as unit:
            held = a_held_event(now)
            await unit.save_events([replace(held, opt=replace(held.opt, reason="gladly"))])
            await unit.add_deliveries([account(0, 5e6, 4e6), account(5, 5e6, 5e6), account(10, 0.0, 1e6)])
            await unit.add_notice(Notice(at=now, kind="event received", text="version 0", event_id="event-1"))
        await store.close()

    run_async(fill())
    return ven
