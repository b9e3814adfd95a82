"""The operator's API as a client of it sees it: TLS, a token, and problems as errors."""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from openadr_core.errors import ConfigError, ConnectFailed, OpenAdrError, TimedOut
from openadr_core.shell.tls import Chain, client_context
from openadr_vtn.http.addresses import ADMIN, OADR3

PROFILE_VARIABLE = "OPENADR_OPERATOR"
"""Not OPENADR_VTN_…: that would be a setting of the VTN itself."""
WAIT_S = 10.0

F = TypeVar("F", bound=Callable[..., Any])


class Refused(OpenAdrError):
    """The VTN said no; the text is its own."""


class OperatorApi:
    """One command's conversation with a VTN."""

    def __init__(self, profile: Path) -> None:
        settings = _profile(profile)
        self._client_id, self._secret = settings["client_id"], settings["client_secret"]
        folder = profile.resolve().parent
        chain = None
        if "certificate" in settings:
            chain = Chain(certificate=folder / settings["certificate"], key=folder / settings["key"])
        self._token: str | None = None
        self._http = httpx.Client(
            base_url=settings["url"],
            verify=client_context("oadr3", chain, [folder / settings["trust"]]),
            timeout=WAIT_S,
            trust_env=False,
        )

    def list(self, path: str, **query: str) -> list[Any]:
        """Every object of a 3.1 list, page by page."""
        found: list[Any] = []
        while True:
            page = self.ask("GET", f"{OADR3}/{path}", query={**query, "skip": str(len(found))})
            found += page
            if len(page) < 50:
                return found

    def read(self, path: str) -> Any:
        return self.ask("GET", f"{OADR3}/{path}")

    def write(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        return self.ask(method, f"{OADR3}/{path}", body=body, headers=headers)

    def admin(self, path: str, **query: str) -> Any:
        return self.ask("GET", f"{ADMIN}/{path}", query=query)

    def command(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.ask("POST", f"{ADMIN}/{path}", body=json.dumps(body).encode())

    def change(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.ask("PUT", f"{ADMIN}/{path}", body=json.dumps(body).encode())

    def remove(self, path: str) -> Any:
        return self.ask("DELETE", f"{ADMIN}/{path}")

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        sent = {**(headers or {}), "Authorization": f"Bearer {self._fresh_token()}"}
        if body is not None:
            sent["Content-Type"] = "application/json"
        return _answer(self._send(method, path, content=body, params=query, headers=sent))

    def _fresh_token(self) -> str:
        if self._token is not None:
            return self._token
        form = {"grant_type": "client_credentials", "client_id": self._client_id, "client_secret": self._secret}
        answer = _answer(self._send("POST", f"{OADR3}/auth/token", data=form))
        self._token = str(answer["access_token"])
        return self._token

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.TimeoutException:
            raise TimedOut(f"{self._http.base_url} did not answer within {WAIT_S:.0f} s") from None
        except httpx.HTTPError as error:
            raise ConnectFailed(f"{self._http.base_url} cannot be reached: {error}; is openadr-vtn running?") from None


def operator_option(command: F) -> F:
    """Gives a command an ``OperatorApi`` as its argument ``api``, from the profile that the user names."""
    option = click.option(
        "--operator",
        "api",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=PROFILE_VARIABLE,
        show_envvar=True,
        default=Path("operator.toml"),
        show_default=True,
        callback=lambda _context, _option, value: OperatorApi(value),
        help="File with address and access of the VTN, as init writes it.",
    )
    return option(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def _profile(path: Path) -> dict[str, str]:
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; openadr-vtn init writes one: go to its folder, or name it by --operator"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    for name in ("url", "client_id", "client_secret", "trust"):
        if not isinstance(settings.get(name), str):
            raise ConfigError(f"{path}: {name}: is missing, or no text")
    return settings


def _answer(response: httpx.Response) -> Any:
    try:
        answer = response.json()
    except ValueError:
        raise Refused(f"the VTN answered {response.status_code} without JSON") from None
    if response.is_success:
        return answer
    raise Refused(answer.get("detail") or answer.get("error_description") or f"the VTN answered {response.status_code}")
