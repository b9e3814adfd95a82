"""Certificates and settings that benchmarks share: authorities, a VTN, and as many VENs as are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from openadr_core.identity import Peer
from openadr_core.pki import Authority, Issued, issue, make_authority
from openadr_core.shell.keyfiles import certificate_profile
from openadr_core.shell.tls import Chain

NOW = datetime.now(UTC)
PASSWORD_FREE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Ven:
    """A VEN's certificate, and how the VTN knows it."""

    name: str
    chain: Chain
    peer: Peer

    @property
    def ven_id(self) -> str:
        return f"id-{self.name}"


@dataclass(slots=True)
class Lab:
    folder: Path
    authorities: dict[str, Authority] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in ("ecc", "rsa"):
            root = make_authority(f"Lab {kind} root", certificate_profile(f"openadr-{kind}-root"), NOW)
            self.authorities[kind] = root
            self.trust(kind).write_bytes(root.certificate_pem)
            self._write("vtn", kind, self._issue("vtn", kind, dns_names=["localhost"], ip_addresses=["127.0.0.1"]))

    def trust(self, kind: str = "ecc") -> Path:
        return self.folder / f"{kind}-root.pem"

    def vtn(self, kind: str = "ecc") -> Chain:
        return self._chain("vtn", kind)

    def vens(self, count: int, kind: str = "ecc") -> list[Ven]:
        made = []
        for number in range(count):
            name = f"{kind}-ven-{number}"
            issued = self._issue(name, kind)
            made.append(Ven(name=name, chain=self._write(name, kind, issued), peer=issued.peer))
        return made

    def settings(self, url: str, *more: str, kinds: Sequence[str] = ("ecc", "rsa")) -> Path:
        """The settings file of our VTN over this store, with keys of these kinds, and more lines of TOML."""
        file = self.folder / f"{url.rpartition('/')[2]}.toml"
        chains = ", ".join(CERTIFICATE.format(kind=kind) for kind in kinds)
        file.write_text(SETTINGS.format(url=url, certificates=chains) + "\n".join(more))
        return file

    def server_files(self, kind: str = "ecc") -> Sequence[str]:
        """What servers that are not ours are told."""
        chain = self.vtn(kind)
        return ("--certificate", str(chain.certificate), "--key", str(chain.key), "--trust", str(self.trust(kind)))

    def _issue(
        self, name: str, kind: str, *, dns_names: Sequence[str] = (), ip_addresses: Sequence[str] = ()
    ) -> Issued:
        profile = certificate_profile(f"openadr-{kind}-{'vtn' if name == 'vtn' else 'ven'}")
        return issue(profile, name, self.authorities[kind], NOW, dns_names=dns_names, ip_addresses=ip_addresses)

    def _write(self, name: str, kind: str, issued: Issued) -> Chain:
        chain = self._chain(name, kind)
        chain.certificate.write_bytes(issued.chain_pem)
        chain.key.touch(mode=PASSWORD_FREE)
        chain.key.write_bytes(issued.key_pem)
        return chain

    def _chain(self, name: str, kind: str) -> Chain:
        return Chain(certificate=self.folder / f"{name}-{kind}.pem", key=self.folder / f"{name}-{kind}.key")


CERTIFICATE = '{{ certificate = "vtn-{kind}.pem", key = "vtn-{kind}.key" }}'
SETTINGS = """
[parties]
port = 0
# Every VEN of a bench comes from one address.
connections_per_address = 1_000_000
connections_per_minute = 1_000_000
trust = ["ecc-root.pem", "rsa-root.pem"]
certificates = [{certificates}]

[operator]
port = 0
certificates = [{{ certificate = "vtn-ecc.pem", key = "vtn-ecc.key" }}]

[console]
port = 0

[store]
url = "{url}"

[guard]
event_max_kw = 10_000
step_max_kw = 5_000
"""
