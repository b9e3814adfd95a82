"""Where the operator's APIs are, for the listener and for the command line alike."""

OADR3 = "/openadr3/3.1.0"
"""OpenADR 3.1: the version is in the address, and the standard's own servers write it like this."""
OADR301 = "/openadr3/3.0.1"
"""The version before, of the same objects."""
ADMIN = "/admin/v1"
