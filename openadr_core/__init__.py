"""What the utility side and the device side must agree on.

Messages, codecs, the canonical model of an event, identity and certificates: pure
functions and values, with no I/O. The little I/O that both sides need (TLS contexts,
the clock, logs, metrics) is in :mod:`openadr_core.shell`, which nothing pure imports.
"""
