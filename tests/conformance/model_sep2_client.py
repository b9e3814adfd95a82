"""A client of 2030.5 that does just enough to be judged, and can be told to do it wrong, in a time of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from conformance.answers import Answer
from conformance.exchanges import Exchange, RawRequest
from conformance.messages import read_message
from conformance.sep2.script import Sep2Script
from conformance.sep2.words import MEDIA_TYPE, NAMESPACES
from conformance.server.listener import Answered
from conformance.server.steps import Shown
from openadr_core.xml.parse import Element

from . import model_sep2_words as words
from .model_sep2_schedule import TARGET_W, Control, Schedule

Found = TypeVar("Found")
TICK_S = 0.25
KNOWN = tuple(f"{{{NAMESPACES[name]}}}" for name in ("sep", "aus"))
PAGE = 10


class Refused(Exception):
    """The server gives nothing that could be read."""


@dataclass(slots=True)
class ModelSep2Client:
    """It is the stage too: time goes on while the harness waits."""

    script: Sep2Script
    lfdi: str
    sfdi: str
    pin: str
    nmi: str = ""
    managed: tuple[str, ...] = ()
    wrong: str = ""
    """What it does that no client may."""
    now_s: float = 1_800_000_000.0
    offset_s: int = 0
    rate_s: float = 1.0
    poll_at_s: float = 0.0
    left_alone_until_s: float = 0.0
    is_in: bool = False
    """The server is the one that it was told of."""
    described: bool = False
    mirrors: dict[str, str] = field(default_factory=dict)
    """By LFDI."""
    watchable: set[str] = field(default_factory=set)
    subscribed: set[str] = field(default_factory=set)
    read_at_s: float = 0.0
    post_rate_s: int = 1
    readings: list[str] = field(default_factory=list)
    """What the server has not taken yet."""
    attempts: list[Answer] = field(default_factory=list)
    shown: Shown = Shown.GOOD
    schedule: Schedule = field(init=False)
    remembered: dict[str, str] = field(default_factory=dict)
    queue: list[tuple[str, str]] = field(default_factory=list)
    """What is to be posted: where, and the document."""

    def __post_init__(self) -> None:
        self.schedule = Schedule(wrong=self.wrong)

    def wait(self, found: Callable[[], Found | None], timeout_s: float) -> Found | None:
        until_s = self.now_s + timeout_s
        while (seen := found()) is None and self.now_s < until_s:
            self.now_s += TICK_S
            self._measure()
            if self.now_s >= self.left_alone_until_s:
                self._go_on()
        return seen

    def reach(self, _origin: str) -> "ModelSep2Client":
        return self

    def exchange(self, request: RawRequest) -> Exchange:
        """It is told that something has changed."""
        if self.wrong != "does not heed what it is told":
            self.poll_at_s = self.now_s
        at = datetime.fromtimestamp(self.now_s, UTC)
        status = 500 if self.wrong == "fails when it is told" else 204
        return Exchange(at=at, speaker="the harness", tls="", request=request, answer=Answer(status=status))

    def close(self) -> None:
        """Nothing is open."""

    def serve(self, certificate: Shown, *, certification_suites: bool) -> None:  # noqa: ARG002 (a Stage's)
        self.shown = certificate

    @property
    def moment(self) -> int:
        """By the server's clock."""
        return int(self.now_s) + (0 if self.wrong == "goes by its own clock" else self.offset_s)

    def _go_on(self) -> None:
        try:
            if self.now_s >= self.poll_at_s:
                self.poll_at_s = self.now_s + self.rate_s
                self._poll()
                self.poll_at_s = self.now_s + self.rate_s
            self._answer()
            self._read_out()
        except Refused:
            pass

    # -- a walk ------------------------------------------------------------------------

    def _poll(self) -> None:
        if self.wrong == "guesses addresses":
            self._try("/edev")
        capability = self._get("/entry")
        self.rate_s = 1.0 if self.wrong == "polls as often as it likes" else float(capability.get("pollRate", "900"))
        if not (self.wrong == "reads the clock once" and self.offset_s):
            clock = self._get(_link(capability, "Time"))
            self.offset_s = int(_text(clock, "currentTime")) - int(self.now_s)
        devices = _link(capability, "EndDeviceList")
        listed = self._list(devices)
        own = next((one for one in listed if self._is_own(one)), None)
        if own is None or self.wrong == "never stops registering":
            self._register(devices)
        self.is_in = own is not None and self._knows_pin(own)
        if own is None or not self.is_in:
            return
        self._describe(own)
        ours = {self.lfdi, *self.managed}
        mine = [one for one in listed if _text(one, "lFDI") in ours or self.wrong == "acts for everybody"]
        self.schedule.take(self._controls(mine), self.moment)
        self._subscribe(own)
        for device in (_text(one, "lFDI") for one in mine):
            self._mirror(_link(capability, "MirrorUsagePointList"), device)
        if self.wrong != "reads out as often as it likes":
            self.post_rate_s = int(_text(self._get(self.mirrors[self.lfdi]), "postRate"))

    def _subscribe(self, own: Element) -> None:
        if own.find("sep:SubscriptionListLink", NAMESPACES) is None or self.wrong == "does not subscribe":
            return
        for resource in self.watchable - self.subscribed:
            self._post(_link(own, "SubscriptionList"), words.subscription(resource))
            self.subscribed.add(resource)

    def _register(self, devices: str) -> None:
        lfdi = "9" * 40 if self.wrong == "registers as another" else self.lfdi
        self._post(devices, words.end_device(lfdi, self.sfdi, self.moment))

    def _mirror(self, points: str, device: str) -> None:
        if device not in self.mirrors and (device == self.lfdi or self.wrong != "has one meter for all"):
            self.mirrors[device] = self._post(points, words.usage_point(device))

    def _is_own(self, device: Element) -> bool:
        return _text(device, "lFDI") == self.lfdi and _text(device, "sFDI") == self.sfdi

    def _knows_pin(self, own: Element) -> bool:
        found = _text(self._get(_link(own, "Registration")), "pIN")
        return found == self.pin or self.wrong == "ignores the PIN"

    def _describe(self, own: Element) -> None:
        if self.described or self.wrong == "says nothing of itself":
            return
        der = self._list(_link(own, "DERList"))[0]
        at = self.moment
        self._put(_link(der, "DERCapability"), words.capability())
        self._put(_link(der, "DERSettings"), words.settings(at))
        self._put(_link(der, "DERStatus"), words.status(at))
        point = own.find("aus:ConnectionPointLink", NAMESPACES)
        if point is not None:
            nmi = "0" if self.wrong == "says another connection point" else self.nmi
            self._put(str(point.attrib["href"]), words.connection_point(nmi))
        self.described = True

    def _controls(self, devices: list[Element]) -> list[Control]:
        found: list[Control] = []
        for device in devices:
            if device.find("sep:FunctionSetAssignmentsListLink", NAMESPACES) is None:
                continue
            for assignment in self._list(_link(device, "FunctionSetAssignmentsList")):
                for program in self._list(_link(assignment, "DERProgramList")):
                    found += self._controls_of(program, _text(device, "lFDI"))
        return found

    def _controls_of(self, program: Element, device: str) -> list[Control]:
        href = _link(program, "DERControlList")
        if self.wrong == "remembers addresses":
            href = self.remembered.setdefault(_text(program, "mRID"), href)
        listed = self._list(href, whole=self.wrong != "takes the first page for all")
        otherwise = program.find("sep:DefaultDERControlLink", NAMESPACES)
        if otherwise is not None and self.wrong != "ignores the default":
            self.schedule.default = _asked(self._get(str(otherwise.attrib["href"]))).get(TARGET_W, 0)
        everybody = self.wrong == "gives every device every control" and device in self.managed
        devices = self.managed if everybody else (device,)
        return [_control(one, program, each, self.wrong) for one in listed for each in devices]

    # -- what it says ------------------------------------------------------------------

    def _answer(self) -> None:
        if self.wrong != "never answers":
            self.queue += [(known.reply_to, self._response(known, status)) for known, status in self._owed()]
        while self.queue:
            href, document = self.queue[0]
            if self.wrong == "forgets what was not taken":
                self.queue.pop(0)
                self._post(href, document)
            else:
                self._post(href, document)
                self.queue.pop(0)

    def _owed(self) -> Iterator[tuple[Control, int]]:
        for known, status in self.schedule.owed(self.moment):
            yield known, status
            if self.wrong == "answers twice" and status == 2:
                yield known, status

    def _response(self, known: Control, status: int) -> str:
        who = "9" * 40 if self.wrong == "answers for another" else known.device
        who = self.lfdi if self.wrong == "answers for itself alone" else who
        subject = known.program if self.wrong == "answers to the program" else known.mrid
        return words.response(self.moment, who, status, subject)

    def _measure(self) -> None:
        """Each interval of the meter, from when we are in: forward flow is what is drawn."""
        if self.lfdi in self.mirrors and self.now_s >= self.read_at_s + self.post_rate_s:
            self.read_at_s = self.now_s
            if self.wrong == "forgets readings" and self.schedule.is_lost:
                return
            self.readings.append(words.reading(self.moment, self.post_rate_s, -self.schedule.watts(self.moment)))

    def _read_out(self) -> None:
        mirror = self.mirrors.get(self.lfdi, "")
        while self.is_in and mirror and self.readings:
            reading = self.readings[0]
            self._post(mirror, reading)
            self.readings = self.readings[1:]

    # -- one exchange ------------------------------------------------------------------

    def _list(self, href: str, *, whole: bool = True) -> list[Element]:
        found: list[Element] = []
        while True:
            page = self._get(f"{href}?s={len(found)}&l={PAGE}")
            self.watchable |= {href} if page.get("subscribable") == "1" else set()
            found += page
            if not whole or not len(page) or len(found) >= int(page.get("all", "0")):
                return found

    def _try(self, href: str) -> None:
        self._ask("GET", href)

    def _get(self, href: str) -> Element:
        _, root, _ = read_message([], self._ask("GET", href).body)
        if root is None or (self.wrong == "chokes on what it does not know" and _is_strange(root)):
            raise Refused
        return root

    def _put(self, href: str, document: str) -> None:
        self._ask("PUT", href, document)

    def _post(self, href: str, document: str) -> str:
        answered = self._ask("POST", href, document)
        if answered.status == 404 and self.wrong != "gives up its meter when it is gone":
            self.mirrors = {lfdi: mirror for lfdi, mirror in self.mirrors.items() if mirror != href}
        return dict(answered.headers).get("Location", "")

    def _ask(self, method: str, href: str, document: str = "") -> Answered:
        if self.shown is not Shown.GOOD:
            self.attempts.append(Answer(failure="bad certificate", refused=self.wrong != "trusts anybody"))
        if self.shown is not Shown.GOOD and self.wrong != "trusts anybody":
            raise Refused
        body = document.encode()
        headers = [("Host", "utility.example"), ("Accept", MEDIA_TYPE), ("Content-Type", MEDIA_TYPE)]
        _, root, because = read_message(headers, body)
        request = RawRequest(method=method, path=href, headers=headers, body=body)
        what = Answer(method=method, path=href, headers=headers, body=body, root=root, no_root_because=because)
        answered = self.script.listens(request, what, self.now_s)
        told = Answer(status=answered.status or None, headers=answered.headers, body=answered.body)
        at = datetime.fromtimestamp(self.now_s, UTC)
        self.script.exchanges.append(Exchange(at=at, speaker="the model", tls="", request=request, answer=told))
        if answered.status in {301, 307} and self.wrong != "does not go where it is sent":
            return self._ask(method, dict(answered.headers)["Location"], document)
        if not answered.status:
            self.schedule.let_go()
        if answered.status in {0, 301, 307, 503}:
            wait_s = 0.0 if self.wrong == "is not put off" else float(dict(answered.headers).get("Retry-After", "1"))
            self.left_alone_until_s = self.now_s + wait_s
            raise Refused
        return answered


def _text(node: Element, name: str, default: str = "") -> str:
    return node.findtext(f"sep:{name}", default, NAMESPACES)


def _link(node: Element, name: str) -> str:
    found = node.find(f"sep:{name}Link", NAMESPACES)
    if found is None:
        raise Refused
    return str(found.attrib["href"])


def _is_strange(root: Element) -> bool:
    return any(not str(one.tag).startswith(KNOWN) for one in root.iter())


def _asked(node: Element, *, to_the_letter: bool = False) -> dict[str, int]:
    """What each mode that it knows asks for, by tag; or what whatever stands there does."""
    found = node.find("sep:DERControlBase", NAMESPACES)
    return {
        str(one.tag): int(one.findtext("sep:value", "0", NAMESPACES))
        * 10 ** int(one.findtext("sep:multiplier", "0", NAMESPACES))
        for one in (found if found is not None else ())
        if to_the_letter or str(one.tag).startswith(KNOWN)
    }


def _control(node: Element, program: Element, device: str, wrong: str) -> Control:
    times = {name: int(node.findtext(f"sep:interval/sep:{name}", "0", NAMESPACES)) for name in ("start", "duration")}
    return Control(
        mrid=_text(node, "mRID"),
        device=device,
        program=_text(program, "mRID"),
        primacy=int(_text(program, "primacy")),
        made=int(_text(node, "creationTime")),
        start=times["start"],
        duration_s=times["duration"],
        randomize_start_s=int(_text(node, "randomizeStart", "0")),
        modes=_asked(node, to_the_letter=wrong == "begins what it cannot follow"),
        status=int(node.findtext("sep:EventStatus/sep:currentStatus", "0", NAMESPACES)),
        changed=int(node.findtext("sep:EventStatus/sep:dateTime", "0", NAMESPACES)),
        reply_to=node.get("replyTo", ""),
    )
