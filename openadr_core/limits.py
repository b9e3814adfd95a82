"""Every bound of the project, with its reason.

A bound that an operator may change is a setting whose default is here.
"""

# -- XML (the gate of openadr_core.xml.parse) ---------------------------------------

XML_BODY_MAX_BYTES = 256 * 1024
"""A full oadrDistributeEvent of four events with a day of intervals each is 40 kB."""

XML_REPORT_BODY_MAX_BYTES = 4 * 1024 * 1024
"""History reports are the one message that is rightly large; they have a route of their own."""

XML_MARKUP_MAX = 20_000
"""Occurrences of ``<`` in a message, counted before parsing: bounds the tree that can be built."""

XML_REPORT_MARKUP_MAX = 400_000
"""The same for reports: 4 MiB at about ten bytes an element."""

XML_ATTRIBUTES_MAX = 32
"""Attributes of one element: libxml2's attribute list is quadratic (25 s for 90,000)."""

# -- HTTP ----------------------------------------------------------------------------

HTTP_HEADER_WAIT_S = 5.0
"""A connection that has not sent a request by then is closed (slow-loris)."""

HTTP_BODY_WAIT_S = 5.0
"""A body that has not arrived by then is refused."""

HTTP_KEEPALIVE_S = 75.0
"""Longer than any poll interval in armed periods, so that polls reuse their connection."""

HTTP_LINE_MAX_BYTES = 4096
HTTP_FIELD_MAX_BYTES = 8190
HTTP_HEADERS_MAX = 64

TLS_HANDSHAKE_WAIT_S = 10.0

CERTIFICATE_LEFT_MIN_S = 24 * 3600
"""A service whose own certificate ends within a day does not start: it would fall silent unattended."""

JSON_BODY_MAX_BYTES = 256 * 1024
JSON_DEPTH_MAX = 32
"""An OpenADR 3 document nests seven deep; the interpreter gives up near a thousand."""

# -- identifiers and texts -----------------------------------------------------------

IDENTIFIER_MAX_CHARS = 128
"""OpenADR 3.1 objectID: 1 to 128 of ``[A-Za-z0-9_-]``; ours fit it in every protocol."""

LOG_VALUE_MAX_CHARS = 512
"""Peer text in a log record is cut here: a flood must not fill the disk."""

# -- parties -------------------------------------------------------------------------

PENDING_PARTIES_MAX = 1_000
"""Certificates of a trusted root that wait for approval: bounds what strangers can store."""

# -- retries -------------------------------------------------------------------------

RETRY_FIRST_S = 1.0
"""OpenADR 2.0b 9.1.7: truncated binary exponential back-off from about one second."""

RETRY_JITTER = 0.1
"""The same clause: plus or minus ten per cent."""

# -- device commands -----------------------------------------------------------------

COMMAND_LEASE_MAX_S = 86_400.0
"""A device that nobody has spoken to for a day is on its own; leases are seconds to minutes."""

COMMAND_RAMP_MAX_S = 3_600.0
"""Slower ramps are the dispatcher's, round by round."""

BROKER_RETRY_MAX_S = 15.0
"""Between two tries to reach the broker: half a lease, so that a short outage costs no command its renewal."""
