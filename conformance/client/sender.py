"""Makes the requests that procedures describe, on one connection for each identity."""

from collections.abc import Callable, Mapping
from datetime import datetime

from conformance.client.address import Address
from conformance.client.line import Carrier, Connect
from conformance.client.sealing import Sealing, now
from conformance.client.steps import Hello, Identity, Send
from conformance.exchanges import Exchange, RawRequest
from conformance.openadr20b import CONTENT_TYPE, path_of
from conformance.queries import rendered


class Sender:
    def __init__(self, address: Address, connect: Connect, *, utc: Callable[[], datetime] = now) -> None:
        """``utc`` tells when a message is signed."""
        self._utc = utc
        self._address = address
        self._connect = connect
        self._seals: dict[Identity, Sealing] = {}
        self._carriers: dict[tuple[Identity, Hello], Carrier] = {}

    def send(self, step: Send, variables: Mapping[str, str]) -> Exchange:
        """The request that a step describes."""
        return self._carrier(step.identity, step.hello).exchange(self._request(step, variables))

    def post(self, service: str, body: bytes) -> Exchange:
        """A message as it should be sent."""
        length = ("Content-Length", str(len(body)))
        request = RawRequest(
            method="POST",
            path=self._address.prefix + path_of(service),
            headers=[("Host", self._address.parts.netloc), ("Content-Type", CONTENT_TYPE), length],
            body=body,
        )
        return self._carrier(Identity.ENROLLED, Hello()).exchange(request)

    def close(self) -> None:
        for carrier in self._carriers.values():
            carrier.close()

    def _carrier(self, identity: Identity, hello: Hello) -> Carrier:
        if (identity, hello) not in self._carriers:
            self._carriers[identity, hello] = self._connect(self._address, identity, hello)
        return self._carriers[identity, hello]

    def _sealing(self, identity: Identity) -> Sealing:
        if identity not in self._seals:
            certificates = self._address.certificates
            self._seals[identity] = Sealing(
                certificates[identity], another=certificates[Identity.FOREIGN], utc=self._utc
            )
        return self._seals[identity]

    def _request(self, step: Send, variables: Mapping[str, str]) -> RawRequest:
        body = rendered(step.body, variables, xml=True).encode(step.encoding)
        if step.seal is not None:
            body = self._sealing(step.identity).sealed(body, step.seal)
        headers: dict[str, str | None] = {"Host": self._address.parts.netloc}
        if body:
            # OpenADR 2.0b 9.1.9: Host, Content-Length, Content-Type, and a length instead of chunks.
            headers["Content-Type"] = CONTENT_TYPE
            headers |= {"Transfer-Encoding": "chunked"} if step.chunked else {"Content-Length": str(len(body))}
        headers |= step.headers
        return RawRequest(
            method=step.method,
            path=self._address.prefix + rendered(step.path, variables),
            headers=[(name, rendered(value, variables)) for name, value in headers.items() if value is not None],
            body=body,
            chunked=step.chunked,
        )
