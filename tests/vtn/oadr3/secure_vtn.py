"""A whole VTN with its listener for OpenADR 3, over real TLS, and somebody else's identity provider beside it."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from openadr_core.shell.clock import SystemClock
from openadr_core.shell.http_armour import serve
from openadr_core.shell.tls import Chain, client_context, server_context
from openadr_vtn.bootstrap import Vtn, start
from openadr_vtn.cli.client_store import NewClient, create_client
from openadr_vtn.domain.access import SCOPES, Role
from openadr_vtn.http.addresses import OADR3
from openadr_vtn.settings import IdentityProviderSettings, Settings
from tests.core.shell.lab import Lab

ISSUER, AUDIENCE = "https://login.example/grid", "vtn"


def sha256_of(chain: Chain) -> str:
    (certificate, *_) = x509.load_pem_x509_certificates(chain.certificate.read_bytes())
    return certificate.fingerprint(hashes.SHA256()).hex()


@dataclass
class Hours:
    """Time that goes on, and can be put forward."""

    ahead_s: float = 0.0

    def clock(self) -> SystemClock:
        return SystemClock(wall_s=lambda: time.time() + self.ahead_s, steady_s=lambda: time.monotonic() + self.ahead_s)


@dataclass
class IdentityProvider:
    """One key that it publishes, tokens that it signs; it counts who asks."""

    port: int = 0
    key_id: str = "idp-1"
    asked: int = 0
    answers: bool = True
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    async def keys(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if not self.answers:
            raise web.HTTPServiceUnavailable
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return web.json_response({"keys": [jwk | {"kid": self.key_id, "use": "sig", "alg": "RS256"}]})

    def token(self, now: datetime, *, kid: str | None = None, **claims: Any) -> str:
        body = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ven-77", "iat": now, "exp": now + timedelta(hours=1),
            "scope": "read_targets read_ven_objects", **claims,
        }  # fmt: skip
        present = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(present, self.key, algorithm="RS256", headers={"kid": kid or self.key_id})


@dataclass
class SecureVtn:
    lab: Lab
    settings: Settings
    vtn: Vtn
    hours: Hours
    clock: SystemClock
    provider: IdentityProvider

    def client(self, chain: Chain | None = None, listener: str = "oadr3") -> httpx.AsyncClient:
        """Somebody on a connection of their own, who shows this certificate or none."""
        context = client_context("oadr3", chain, [self.lab.trust("ecc")])
        return httpx.AsyncClient(base_url=self.vtn.listeners[listener].url, verify=context, trust_env=False)

    async def add(self, client_id: str, role: Role = Role.VEN, **wish: Any) -> str:
        """A client; its secret."""
        scopes = wish.pop("scopes", tuple(SCOPES[role]))
        wanted = NewClient(name=client_id, client_id=client_id, role=role, scopes=scopes, **wish)
        return (await create_client(self.settings, wanted))[1]


async def ask_token(http: httpx.AsyncClient, client_id: str, secret: str | None, **form: str) -> httpx.Response:
    asked = {"grant_type": "client_credentials", "client_id": client_id, **form}
    return await http.post(f"{OADR3}/auth/token", data=asked if secret is None else asked | {"client_secret": secret})


async def token_of(http: httpx.AsyncClient, client_id: str, secret: str | None, **form: str) -> str:
    answer = await ask_token(http, client_id, secret, **form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def ask(http: httpx.AsyncClient, token: str | None, path: str = f"{OADR3}/events") -> httpx.Response:
    return await http.get(path, headers={} if token is None else {"Authorization": f"Bearer {token}"})


@asynccontextmanager
async def secure_vtn(lab: Lab, folder: Path, *, with_provider: bool = False) -> AsyncIterator[SecureVtn]:
    ecc, trust = lab.chain("openadr-ecc-vtn"), [lab.trust("ecc")]
    chain = [{"certificate": ecc.certificate, "key": ecc.key}]
    hours, provider = Hours(), IdentityProvider()
    app = web.Application()
    app.router.add_get("/keys", provider.keys)
    idp = await serve(app, host="127.0.0.1", port=0, tls=server_context("oadr3", [ecc], [], "none"))
    chosen = IdentityProviderSettings(
        issuer=ISSUER, audience=AUDIENCE, token_url="https://login.example/token",  # noqa: S106
        keys_url=f"https://localhost:{idp.port}/keys", networks=(ip_network("127.0.0.0/8"),), ports=(idp.port,),
        trust=tuple(trust),
    )  # fmt: skip
    settings = Settings.model_validate(
        {
            "parties": {"port": 0, "certificates": chain, "trust": trust},
            "operator": {"port": 0, "certificates": chain},
            "oadr3": {
                "port": 0, "certificates": chain, "client_trust": trust,
                "identity_provider": chosen.model_dump() if with_provider else None,
            },
            "console": {"port": 0},
            "guard": {"event_max_kw": 10_000, "step_max_kw": 5_000},
            "store": {"url": f"sqlite:///{folder / 'vtn.db'}"},
        }
    )  # fmt: skip
    clock = hours.clock()
    vtn = await start(settings, clock=clock)
    try:
        yield SecureVtn(lab=lab, settings=settings, vtn=vtn, hours=hours, clock=clock, provider=provider)
    finally:
        await vtn.close()
        await idp.close()
