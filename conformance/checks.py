"""Every kind of check, as a pure judgement of one answer.

A check that cannot see what it judges (no answer, no XML) has failed: silence never passes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from conformance import openadr20b
from conformance.answers import Answer, Sight, Unseen
from conformance.durations import seconds_of
from conformance.queries import Query, rendered
from openadr_core.errors import SignatureFault
from openadr_core.limits import LOG_VALUE_MAX_CHARS, SIGNATURE_AGE_MAX_S
from openadr_core.oadr2.xmldsig import verify

MRID_DIGITS = 32


class Kind(Protocol):
    @property
    def expected(self) -> str:
        """For a report; a template."""

    def look(self, sight: Sight) -> tuple[bool, str]:
        """Whether it passed, and what was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    passed: bool
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    id: str
    clauses: tuple[str, ...]
    kind: Kind
    extension: bool = False
    """No standard asks for it, this project does: a stranger is judged by it only if the tester wants so."""

    def judge(self, sight: Sight) -> Judgement:
        try:
            passed, found = self.kind.look(sight)
        except Unseen as unseen:
            passed, found = False, str(unseen)
        expected = rendered(self.kind.expected, sight.variables)
        return Judgement(passed=passed, expected=expected, found=found[:LOG_VALUE_MAX_CHARS])


@dataclass(frozen=True, slots=True)
class TextRule:
    """How a text is compared: with one of some templates, or with a pattern."""

    equals: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None

    @property
    def expected(self) -> str:
        return f"matching {self.pattern.pattern}" if self.pattern else _either(self.equals)

    def fits(self, text: str, variables: Mapping[str, str]) -> bool:
        if self.pattern:
            return self.pattern.search(text) is not None
        return text in {rendered(value, variables) for value in self.equals}


@dataclass(frozen=True, slots=True)
class StatusIs:
    allowed: tuple[str, ...]
    """Each ``404``, or ``4XX`` for all of its class."""

    @property
    def expected(self) -> str:
        return f"HTTP {_either(self.allowed)}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        status = str(sight.status)
        return not {status, f"{status[0]}XX"}.isdisjoint(self.allowed), f"HTTP {status}"


@dataclass(frozen=True, slots=True)
class HeaderIs:
    name: str
    rule: TextRule | None
    """None: the header must not be there."""
    optional: bool = False
    """It need not be there."""

    @property
    def expected(self) -> str:
        return f"{self.name}: {self.rule.expected if self.rule else 'absent'}{', or absent' if self.optional else ''}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        value = sight.came.header(self.name)
        if self.rule is None or value is None:
            passed = value is None and (self.rule is None or self.optional)
        else:
            passed = self.rule.fits(value, sight.variables)
        return passed, f"{self.name}: {'absent' if value is None else value}"


@dataclass(frozen=True, slots=True)
class PayloadIs:
    names: tuple[str, ...]

    @property
    def expected(self) -> str:
        return _either(self.names)

    def look(self, sight: Sight) -> tuple[bool, str]:
        name = openadr20b.payload_name(sight.root)
        return name in self.names, name or "no oadrPayload with a payload"


@dataclass(frozen=True, slots=True)
class ResponseCodeIs:
    pattern: re.Pattern[str]

    @property
    def expected(self) -> str:
        return f"responseCode {self.pattern.pattern}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        code = openadr20b.response_code(sight.root)
        found = f"responseCode {code}" if code else f"no eiResponse in {openadr20b.payload_name(sight.root)}"
        return self.pattern.fullmatch(code) is not None, found


@dataclass(frozen=True, slots=True)
class QueryGives:
    query: Query
    rule: TextRule

    @property
    def expected(self) -> str:
        return f"{self.query.text} = {self.rule.expected}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        found = self.query.string(sight.root, sight.variables).strip()
        return self.rule.fits(found, sight.variables), found or "nothing"


@dataclass(frozen=True, slots=True)
class Occurs:
    query: Query
    wanted: bool

    @property
    def expected(self) -> str:
        return f"{self.query.text} {'present' if self.wanted else 'absent'}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        count = len(self.query.nodes(sight.root, sight.variables))
        return (count > 0) is self.wanted, f"{count} found"


@dataclass(frozen=True, slots=True)
class Holds:
    query: Query

    @property
    def expected(self) -> str:
        return self.query.text

    def look(self, sight: Sight) -> tuple[bool, str]:
        truth = self.query.truth(sight.root, sight.variables)
        return truth, str(truth).lower()


@dataclass(frozen=True, slots=True)
class Sorted:
    """The nodes stand in an order; where there are fewer than two, nothing is seen of it. XPath 1.0 compares no texts.

    Whole numbers are compared as such, unless they are as long as an mRID.
    """

    each: Query
    by: tuple[tuple[Query, bool], ...]
    """The keys, the most important first, and whether each goes downwards."""

    @property
    def expected(self) -> str:
        return f"{self.each.text} by {', '.join(f'-{key.text}' if down else key.text for key, down in self.by)}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        nodes = self.each.nodes(sight.root, sight.variables)
        if len(nodes) < 2:
            raise Unseen(f"{len(nodes)} {self.each.text}")
        keys = [tuple(_key(query.string(node, sight.variables)) for query, _ in self.by) for node in nodes]
        for before, after in pairwise(keys):
            for one, other, (_, down) in zip(before, after, self.by, strict=True):
                if one != other:
                    if (one > other) is not down:
                        return False, f"{_shown(before)} before {_shown(after)}"
                    break
        return True, f"{len(nodes)} are"


def _key(text: str) -> tuple[int, str]:
    is_number = text.lstrip("-").isdecimal() and len(text) < MRID_DIGITS
    return (int(text), "") if is_number else (0, text.upper())


def _shown(keys: tuple[tuple[int, str], ...]) -> str:
    return ", ".join(text or str(number) for number, text in keys)


@dataclass(frozen=True, slots=True)
class Either:
    """One of several holds, where a standard leaves it open."""

    kinds: tuple[Kind, ...]

    @property
    def expected(self) -> str:
        return _either(tuple(kind.expected for kind in self.kinds))

    def look(self, sight: Sight) -> tuple[bool, str]:
        found = []
        for kind in self.kinds:
            try:
                passed, what = kind.look(sight)
            except Unseen as unseen:
                passed, what = False, str(unseen)
            if passed:
                return True, what
            found.append(what)
        return False, "; ".join(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class SchemaValid:
    @property
    def expected(self) -> str:
        return "valid by the schema"

    def look(self, sight: Sight) -> tuple[bool, str]:
        fault = sight.schema_fault(sight.root)
        return not fault, fault or "valid"


@dataclass(frozen=True, slots=True)
class ElapsedBelow:
    seconds: float

    @property
    def expected(self) -> str:
        return f"within {self.seconds * 1000:.0f} ms"

    def look(self, sight: Sight) -> tuple[bool, str]:
        elapsed_s = sight.came.elapsed_s
        return elapsed_s <= self.seconds + sight.latency_s, f"{elapsed_s * 1000:.0f} ms"


@dataclass(frozen=True, slots=True)
class ElapsedAbove:
    """No peer is late by being slow: there is nothing to allow the network."""

    seconds: float

    @property
    def expected(self) -> str:
        return f"not before {self.seconds * 1000:.0f} ms"

    def look(self, sight: Sight) -> tuple[bool, str]:
        elapsed_s = sight.came.elapsed_s
        return elapsed_s >= self.seconds, f"{elapsed_s * 1000:.0f} ms"


@dataclass(frozen=True, slots=True)
class AskedBy:
    """The request line of what the peer sent; an answer to a push needs none."""

    method: str
    path: str
    """How the path ends."""

    @property
    def expected(self) -> str:
        return f"{self.method} …{self.path}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        came = sight.came
        if came.status is not None:
            return True, "an answer in the same exchange"
        return came.method == self.method and came.path.endswith(self.path), f"{came.method} {came.path}"


@dataclass(frozen=True, slots=True)
class BodyEmpty:
    @property
    def expected(self) -> str:
        return "no body"

    def look(self, sight: Sight) -> tuple[bool, str]:
        length = len(sight.came.body)
        return length == 0, f"{length} bytes"


@dataclass(frozen=True, slots=True)
class SilenceKept:
    @property
    def expected(self) -> str:
        return "nothing of the kind"

    def look(self, sight: Sight) -> tuple[bool, str]:
        came = sight.answer
        name = openadr20b.payload_name(came.root) if came.root is not None else came.failure
        return came.silent, "nothing" if came.silent else name


@dataclass(frozen=True, slots=True)
class DurationsSum:
    """In each node, the durations of the parts add up to the whole; XPath 1.0 cannot add them."""

    each: Query
    parts: Query
    whole: Query

    @property
    def expected(self) -> str:
        return f"in each {self.each.text}, {self.parts.text} add up to {self.whole.text}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        nodes = self.each.nodes(sight.root, sight.variables)
        if not nodes:
            raise Unseen(f"no {self.each.text}")
        for node in nodes:
            parts = [part.text or "" for part in self.parts.nodes(node, sight.variables)]
            whole = self.whole.string(node, sight.variables)
            if not parts or sum(seconds_of(part) for part in parts) != seconds_of(whole):
                return False, f"{' + '.join(parts) or 'none'} for {whole}"
        return True, f"{len(nodes)} add up"


@dataclass(frozen=True, slots=True)
class DurationsAtMost:
    """In each node, one duration is no longer than another."""

    each: Query
    shorter: Query
    longer: Query

    @property
    def expected(self) -> str:
        return f"in each {self.each.text}, {self.shorter.text} at most {self.longer.text}"

    def look(self, sight: Sight) -> tuple[bool, str]:
        nodes = self.each.nodes(sight.root, sight.variables)
        if not nodes:
            raise Unseen(f"no {self.each.text}")
        for node in nodes:
            shorter, longer = (query.string(node, sight.variables) for query in (self.shorter, self.longer))
            if not seconds_of(shorter) <= seconds_of(longer):
                return False, f"{shorter or 'none'} beside {longer or 'none'}"
        return True, f"{len(nodes)} are"


@dataclass(frozen=True, slots=True)
class SignedWell:
    """Right, of this moment, for the first time, and by whom the connection belongs to.

    Interpretation: 10.6 lets the receiver set how far clocks may differ, and does not say whose certificate
    signs. Five minutes are allowed here, and the certificate is the one that the peer shows as a peer of TLS.
    """

    @property
    def expected(self) -> str:
        return "a signature that is right, fresh and the peer's own"

    def look(self, sight: Sight) -> tuple[bool, str]:
        try:
            found = verify(sight.root)
        except SignatureFault as fault:
            return False, str(fault)
        if found.holder.certificate_sha256 != sight.answer.peer_sha256:
            return False, "signed with another certificate than the connection's"
        protect, came_at = found.replay_protect, sight.answer.came_at
        if came_at is None or abs((came_at - protect.sent_at).total_seconds()) > SIGNATURE_AGE_MAX_S:
            return False, f"signed at {protect.sent_at.isoformat()}, and came at {came_at and came_at.isoformat()}"
        if any(_has_nonce(other, protect.nonce) for other in sight.others if other.root is not sight.root):
            return False, f"the nonce {protect.nonce} came before"
        return True, f"signed at {protect.sent_at.isoformat()}"


@dataclass(frozen=True, slots=True)
class HandshakeRefused:
    @property
    def expected(self) -> str:
        return "the handshake ended by the peer"

    def look(self, sight: Sight) -> tuple[bool, str]:
        answer = sight.answer
        return answer.refused, answer.failure if answer.status is None else f"HTTP {answer.status}"


def _has_nonce(answer: Answer, nonce: str) -> bool:
    # Most are told apart by their bytes, in a thousandth of the time.
    return answer.root is not None and nonce.encode() in answer.body and openadr20b.nonce(answer.root) == nonce


def _either(values: tuple[object, ...]) -> str:
    return " or ".join(str(value) for value in values)
