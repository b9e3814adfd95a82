"""Our ven at the VTN, and the resources behind it: found, or made (R5)."""

from collections import deque
from collections.abc import Sequence
from http import HTTPStatus

from openadr_core.errors import MalformedMessage
from openadr_core.exchange import Request, Response
from openadr_core.oadr3.json_text import list_items, parse_object
from openadr_ven.domain.indications import Indication, Registered, VtnRefused
from openadr_ven.protocols.oadr3.answers import said_by
from openadr_ven.protocols.oadr3.asking import Asking


class Enrolling:
    def __init__(self, *, vtn: str, ven_name: str, resources: Sequence[str], ven_id: str) -> None:
        """``ven_id`` is what we were before; ``resources`` are names of what we report on."""
        self._vtn = vtn
        self._ven_name = ven_name
        self._resources = tuple(resources)
        self._has_looked = False
        self._by_name = True
        self._missing: deque[str] | None = None
        """Resources to be made; None until we have looked which are there."""
        self.ven_id = ven_id
        self.is_known = False
        """Our ven is there, or cannot be; since we started."""

    def begin_anew(self) -> None:
        self._has_looked, self.is_known, self._missing = False, False, None
        self._by_name = True

    @property
    def lacks_resources(self) -> bool:
        return bool(self.ven_id) and self.is_known and (bool(self._missing) if self._missing is not None else True)

    def request(self, ask: Asking) -> Request:
        if not self.is_known:
            return ask.make_ven() if self._has_looked else ask.find_ven(by_name=self._by_name)
        if self._missing is None:
            return ask.find_resources(self.ven_id)
        return ask.make_resource(self._missing[0], self.ven_id)

    def receive(self, response: Response, ask: Asking) -> list[Indication]:
        """What there is to be told; MalformedMessage if the answer is of no use."""
        if not self.is_known:
            return self._made(response) if self._has_looked else self._looked(response, ask)
        if response.status not in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
            # Reports name our resources all the same; a VTN may want none.
            self._missing = deque()
            return [VtnRefused(what="resource", code=str(response.status), description=said_by(response))]
        if self._missing is None:
            there = {parse_object(text.encode())[0].get("resourceName") for text in list_items(response.body)}
            self._missing = deque(name for name in self._resources if name not in there)
        else:
            self._missing.popleft()
        return []

    def _looked(self, response: Response, ask: Asking) -> list[Indication]:
        if response.status == HTTPStatus.FORBIDDEN:
            # A token that may only read what is for us: a VTN may work so.
            return self._settled("")
        if response.status != HTTPStatus.OK:
            raise MalformedMessage(said_by(response))
        found = [parse_object(text.encode())[0] for text in list_items(response.body)]
        ours = [one for one in found if one.get("venName") == self._ven_name]
        if not self._by_name:
            ours += [one for one in found if one.get("clientID") == ask.client_id]
        if ours or not self._by_name:
            return self._settled(str(ours[0].get("id", "")) if ours else "")
        self._has_looked = True
        return []

    def _made(self, response: Response) -> list[Indication]:
        if response.status == HTTPStatus.CREATED:
            return self._settled(str(parse_object(response.body)[0].get("id", "")))
        if response.status == HTTPStatus.CONFLICT:
            # Interpretation: one ven for each client; ours is there under a name that somebody else chose.
            self._has_looked, self._by_name = False, False
            return [VtnRefused(what="ven", code="409", description=said_by(response))]
        if response.status == HTTPStatus.FORBIDDEN:
            return self._settled("")
        raise MalformedMessage(said_by(response))

    def _settled(self, ven_id: str) -> list[Indication]:
        renewed = ven_id == self.ven_id
        self.is_known, self.ven_id = True, ven_id
        return [Registered(ven_id=ven_id or self._ven_name, vtn_id=self._vtn, registration_id=ven_id, renewed=renewed)]
