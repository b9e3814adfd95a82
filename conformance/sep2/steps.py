"""A request to a server of IEEE 2030.5, and whose certificate it shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.client.line import CURRENT
from conformance.client.steps import Hello, Identity
from conformance.procedure import Step
from conformance.queries import Query
from conformance.sep2.forms import Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Step):
    """One HTTP request; what its answer must be is expected of it."""

    method: str
    path: str
    """An href that was captured, with a query if need be; a template."""
    body: str
    """A template; empty for none."""
    page: int = 0
    """A list is read in pages of so many items, and judged as one; 0: it is one request."""
    offers: Query | None = None
    """Where this is not found in what is answered, the server has no such thing, and the procedure is not run."""
    identity: Identity = Identity.ENROLLED
    form: Form | None = None
    """Instead of that identity's: a certificate of this form, made for a device that nobody knows."""
    hello: Hello = CURRENT
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Added to, or replacing, the usual ones; None leaves one out."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Variables from headers of the answer, ``name: Header``; one that is not there ends the procedure."""
