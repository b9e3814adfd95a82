"""Response codes of 2.0b (1.11), and which of our errors each one is.

The exact number is informational unless a rule fixes it (R48); these are the fixed ones where
a rule speaks, and the nearest elsewhere.
"""

from openadr_core import errors

OK = "200"
OUT_OF_SEQUENCE = "450"
NOT_ALLOWED = "451"
INVALID_ID = "452"
NOT_RECOGNISED = "453"
INVALID_DATA = "454"
COMPLIANCE_OTHER = "459"
SIGNAL_NOT_SUPPORTED = "460"
REPORT_NOT_SUPPORTED = "461"
TARGET_MISMATCH = "462"
NOT_REGISTERED = "463"
DEPLOYMENT_OTHER = "469"

MEANING = {
    OK: "OK",
    OUT_OF_SEQUENCE: "out of sequence",
    NOT_ALLOWED: "not allowed",
    INVALID_ID: "invalid ID",
    NOT_RECOGNISED: "not recognized",
    INVALID_DATA: "invalid data",
    COMPLIANCE_OTHER: "compliance error",
    SIGNAL_NOT_SUPPORTED: "signal not supported",
    REPORT_NOT_SUPPORTED: "report not supported",
    TARGET_MISMATCH: "target mismatch",
    NOT_REGISTERED: "not registered or not authorized",
    DEPLOYMENT_OTHER: "deployment error",
}

_BY_ERROR: tuple[tuple[type[errors.OpenAdrError], str], ...] = (
    (errors.MalformedMessage, COMPLIANCE_OTHER),
    (errors.SchemaViolation, COMPLIANCE_OTHER),
    (errors.OutOfSequence, OUT_OF_SEQUENCE),
    (errors.UnknownReference, INVALID_ID),
    (errors.Unsupported, SIGNAL_NOT_SUPPORTED),
    (errors.TargetMismatch, TARGET_MISMATCH),
    (errors.NotAllowed, NOT_ALLOWED),
    # Interpretation: R514 gives no code. 463 would be read as "register again", which mends no signature.
    (errors.SignatureFault, COMPLIANCE_OTHER),
    (errors.RemoteProtocolError, INVALID_DATA),
    (errors.AccessError, NOT_REGISTERED),
    (errors.InvalidEvent, INVALID_DATA),
    (errors.RuleBroken, NOT_ALLOWED),
)
"""The first row that fits decides, so subclasses stand before their parents."""


def code_of(error: errors.OpenAdrError) -> str:
    """The response code that says this error to a peer."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), DEPLOYMENT_OTHER)
