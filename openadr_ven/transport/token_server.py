"""Requests of OpenADR 3: those with a path go to the VTN, those with a whole address to a token server."""

from openadr_core.exchange import Request, Response
from openadr_ven.transport.client import VtnClient


class WithTokenServer:
    """Two connections: the VTN may be pinned, and somebody else's identity provider is not it."""

    def __init__(self, vtn: VtnClient, elsewhere: VtnClient) -> None:
        self._vtn = vtn
        self._elsewhere = elsewhere

    async def exchange(self, request: Request) -> Response:
        """As :meth:`VtnClient.exchange`."""
        client = self._elsewhere if request.path.startswith("https://") else self._vtn
        return await client.exchange(request)

    async def close(self) -> None:
        await self._vtn.close()
        await self._elsewhere.close()
