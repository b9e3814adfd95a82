"""HardwareModuleName (RFC 4108, 5): how a 2030.5 device, whose subject is empty, says which device it is.

HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }
"""

from cryptography import x509

HARDWARE_MODULE_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")

_SEQUENCE, _OBJECT_IDENTIFIER, _OCTET_STRING = 0x30, 0x06, 0x04
_SHORT_LENGTH_MAX = 127


def hardware_module_name(hardware_type: str, serial: bytes) -> x509.OtherName:
    """The name as it stands in a subjectAltName."""
    inner = _der(_OBJECT_IDENTIFIER, _object_identifier(hardware_type)) + _der(_OCTET_STRING, serial)
    return x509.OtherName(HARDWARE_MODULE_NAME, _der(_SEQUENCE, inner))


def _der(tag: int, content: bytes) -> bytes:
    if len(content) > _SHORT_LENGTH_MAX:
        raise ValueError(f"a hardware serial number of this length ({len(content)} bytes in DER) is not supported")
    return bytes((tag, len(content))) + content


def _object_identifier(dotted: str) -> bytes:
    """X.690, 8.19: the first two arcs share a byte; every arc is base 128, high bit on all but the last byte."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return b"".join(_base_128(arc) for arc in (first * 40 + second, *rest))


def _base_128(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
