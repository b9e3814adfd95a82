"""Every error this project raises, named by who is to blame.

* OpenAdrError

  * ProtocolError             a rule of a standard was broken; carries the clause

    * LocalProtocolError        by us: a bug
    * RemoteProtocolError       by the peer

      * MalformedMessage          bytes that are no message of the protocol
      * SchemaViolation           a message that its schema refuses
      * OutOfSequence             right message, wrong moment or wrong version
      * UnknownReference          names an event, party or report that is not there
      * Unsupported               understood, and not done here
      * TargetMismatch            for resources, or a program, that it cannot be for
      * NotAllowed                understood, and against the rules of the program
      * SignatureFault            not signed as it must be, or sent before

  * AccessError               who is at the other end, and what they may do

    * CertificateRejected       the certificate may not be used
    * UnknownPeer               the certificate is good and not enrolled
    * Forbidden                 enrolled, and not allowed this

      * ScopeMissing              a good token that was not granted what is asked for

  * ExchangeFailed            no answer came; retry policy reads these

    * ConnectFailed
    * TlsFailed
    * TimedOut
    * PeerClosed

  * RuleBroken                an operator's command breaks a domain rule

    * InvalidEvent              names the interval and the rule
    * WrongState                not now
    * GuardTripped              the safety envelope said no

  * StoreError

    * Conflict                  it exists already, or it changed meanwhile
    * NotFound                  it is not there
    * Unavailable               the database cannot be reached

  * DeviceError               one device; never stops the agent

    * Unreachable
    * Refused
    * LimitExceeded

  * ConfigError               at start only; names the setting
"""


class OpenAdrError(Exception):
    """The root: catching it catches everything this project raises on purpose."""


class ProtocolError(OpenAdrError):
    """A rule of a standard was broken."""

    def __init__(self, message: str, *, clause: str = "") -> None:
        super().__init__(message)
        self.clause = clause
        """The rule, as the standard numbers it (``"R48"``, ``"T6"``); empty where it has no number."""


class LocalProtocolError(ProtocolError):
    """We were about to break a rule: a bug of ours."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule."""


class MalformedMessage(RemoteProtocolError):
    """Bytes that are no message of the protocol."""


class SchemaViolation(RemoteProtocolError):
    """A well-formed message that its schema refuses."""


class OutOfSequence(RemoteProtocolError):
    """The right message at the wrong moment, or of the wrong version."""


class UnknownReference(RemoteProtocolError):
    """A message that names an event, a party or a report that is not there."""


class Unsupported(RemoteProtocolError):
    """A message that is understood and not acted upon here."""


class SignatureFault(RemoteProtocolError):
    """A message that is not signed as it must be, or was sent before; the text names no part of it."""


class TargetMismatch(RemoteProtocolError):
    """A message for resources, or under a program, that it cannot be for."""


class NotAllowed(RemoteProtocolError):
    """A message that is understood, and against the rules of the program or of its service."""


class AccessError(OpenAdrError):
    """Who is at the other end, and what they may do."""


class CertificateRejected(AccessError):
    """A certificate that may not be used: expired, denied, of the wrong profile."""


class UnknownPeer(AccessError):
    """A good certificate of a party that no operator has enrolled."""


class Forbidden(AccessError):
    """An enrolled party asks for what is not its own."""


class ScopeMissing(Forbidden):
    """A good token that lacks the scope for what is asked."""


class TooMany(AccessError):
    """Who asks too often: ``wait_s`` is when to come again."""

    def __init__(self, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class ExchangeFailed(OpenAdrError):
    """A request got no answer."""


class ConnectFailed(ExchangeFailed):
    """Nothing listened, or the name did not resolve."""


class TlsFailed(ExchangeFailed):
    """The handshake failed, or the server closed as soon as it saw our certificate."""


class TimedOut(ExchangeFailed):
    """No answer in time."""


class PeerClosed(ExchangeFailed):
    """The connection ended in the middle of an exchange."""


class RuleBroken(OpenAdrError):
    """An operator's command breaks a rule of the domain; the text says which, for a human."""


class InvalidEvent(RuleBroken):
    """An event that cannot be: the text names the interval and the rule."""


class WrongState(RuleBroken):
    """Not now: the thing is not in a state that allows it."""


class GuardTripped(RuleBroken):
    """The safety envelope said no; the text names the limit."""


class StoreError(OpenAdrError):
    """The store could not do what was asked."""


class Conflict(StoreError):
    """It exists already, or somebody changed it meanwhile."""


class NotFound(StoreError):
    """It is not there."""


class Unavailable(StoreError):
    """The database cannot be reached."""


class DeviceError(OpenAdrError):
    """Something about one device; it never stops the agent."""


class Unreachable(DeviceError):
    """The device, or the gateway before it, does not answer."""


class Refused(DeviceError):
    """The device answered no."""


class LimitExceeded(DeviceError):
    """The command is outside what the device may do."""


class ConfigError(OpenAdrError):
    """A setting is missing or wrong; the text names it. Raised at start only."""
