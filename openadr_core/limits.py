"""Every bound of the project, with its reason.

A bound that an operator may change is a setting whose default is here.
"""

# -- XML (the gate of openadr_core.xml.parse) ---------------------------------------

XML_BODY_MAX_BYTES = 256 * 1024
"""What a VEN sends, but for reports, is a few kilobytes."""

XML_REPORT_BODY_MAX_BYTES = 4 * 1024 * 1024
"""Two messages are rightly large: history reports, and what a VEN is told of all its events at once.

An event with one interval is 1.7 kB in an oadrDistributeEvent, one with a day in steps of five minutes 70 kB.
"""

XML_MARKUP_MAX = 20_000
"""Occurrences of ``<`` in a message, counted before parsing: bounds the tree that can be built."""

XML_REPORT_MARKUP_MAX = 400_000
"""The same for the large messages: 4 MiB at about ten bytes an element."""

XML_ATTRIBUTES_MAX = 32
"""Attributes of one element: libxml2's attribute list is quadratic (25 s for 90,000)."""

XML_NAMESPACES_MAX = 32
"""Declarations in scope at one element: to sign or verify costs their square for each. 2.0b has sixteen namespaces."""

# -- XML signatures -------------------------------------------------------------------

SIGNATURE_AGE_MAX_S = 300
"""OpenADR 2.0b R514: how far a signer's clock may be off. One that is worse cannot keep an event's start either."""

# -- HTTP ----------------------------------------------------------------------------

HTTP_HEADER_WAIT_S = 5.0
"""A connection that has not sent a request by then is closed (slow-loris)."""

HTTP_BODY_WAIT_S = 5.0
"""A body that has not arrived by then is refused."""

HTTP_KEEPALIVE_S = 75.0
"""Longer than any poll interval in armed periods, so that polls reuse their connection."""

HTTP_LINGER_S = 1.0
"""What a refused peer still sends is thrown away for so long, so that it gets to read why."""

HTTP_LINE_MAX_BYTES = 8190
"""A query of OpenADR 3 may name twenty targets of 128 characters, each of which takes three bytes or more."""
HTTP_FIELD_MAX_BYTES = 8190
HTTP_HEADERS_MAX = 64

TLS_HANDSHAKE_WAIT_S = 10.0

CONNECTIONS_MAX = 20_000
"""Where connections are counted: 30 kB each with TLS, so 600 MB."""

CONNECTIONS_PER_ADDRESS_MAX = 2_000
CONNECTIONS_PER_MINUTE_MAX = 2_000
"""New ones from one address (security T36): two thousand VENs behind one line come back at once after an outage."""

TLS_SHUTDOWN_WAIT_S = 5.0
"""A peer that is told goodbye and does not answer holds its socket no longer (Python's own wait is 30 s)."""

CERTIFICATE_LEFT_MIN_S = 24 * 3600
"""A service whose own certificate ends within a day does not start: it would fall silent unattended."""

CERTIFICATE_WARNING_DAYS = 60
"""Time enough for the slowest of certificate authorities."""

REQUESTS_IN_FLIGHT_MAX = 2_000
"""Requests that wait for the store together: some seconds of its work, before clients would give up on us."""

RETRY_AFTER_S = 1
"""When a peer that found us busy shall come again: OpenADR 2.0b's own first pause (9.1.7)."""

RETRIES_LEAST_PER_S = 100
"""So many of those who were told to come again are expected a second, however slowly others are being served."""

RETRY_SPREAD_MAX_S = 60
"""The longest time over which those who found us busy are spread."""

RETRY_AFTER_MAX_S = 300.0
"""What a busy peer may ask us to wait, at most: it must not silence us for an event's length."""

SUBSCRIPTIONS_MAX = 100
"""Of one VEN: each may be told of everything that happens to it. Business logic is trusted with more."""

OUTBOUND_ANSWER_MAX_BYTES = 256 * 1024
"""What answers a request of ours is a payload that confirms; a webhook's answer is a few bytes."""

OUTBOUND_KEEPALIVE_S = 30.0
"""An idle connection of ours is dropped well before a server like ours would: else a request meets its end."""

JSON_BODY_MAX_BYTES = 256 * 1024
JSON_DEPTH_MAX = 32
"""An OpenADR 3 document nests seven deep; the interpreter gives up near a thousand."""

# -- identifiers and texts -----------------------------------------------------------

IDENTIFIER_MAX_CHARS = 128
"""OpenADR 3.1 objectID: 1 to 128 of ``[A-Za-z0-9_-]``; ours fit it in every protocol."""

LOG_VALUE_MAX_CHARS = 512
"""Peer text in a log record is cut here: a flood must not fill the disk."""

LOG_TRACE_MAX_CHARS = 8192
"""The end of a traceback: a dozen frames."""

LOG_ITEMS_MAX = 64
LOG_NESTING_MAX = 4
"""Lists and mappings in a log record, likewise."""

# -- events --------------------------------------------------------------------------

EVENT_INTERVALS_MAX = 288
"""A day in steps of five minutes: what a market publishes at once; fifty such events still fit in a 2.0b payload."""

EVENT_SIGNALS_MAX = 32
"""One of each kind, and some for other device classes."""

DISTRIBUTED_EVENTS_MAX = 500
DISTRIBUTED_BYTES_MAX = XML_REPORT_BODY_MAX_BYTES - 64 * 1024
"""What one party may be told of at once: an oadrDistributeEvent is whole or wrong (2.0b R50), and our own VEN reads no
more than that. The rest is for the envelope and a signature."""

EVENT_RESPONSES_MAX = 500
"""Answers in one oadrCreatedEvent: as many events as a party is owed at once."""

# -- opts ------------------------------------------------------------------------------

OPT_SPANS_MAX = 1_000
"""Stretches in one opt schedule: two years of working days."""

OPT_SCHEDULES_MAX = 500
"""Opt schedules kept of one party: what one says is small, and what none speaks for any more is dropped first."""

# -- readings ------------------------------------------------------------------------

READING_MAX = 1e12
"""In any unit. A terawatt: no party has so much; what is beyond it is a wrong scale or a lie, and drowns every sum."""

REPORT_INTERVALS_MAX = 1_000
"""Intervals in a report that we make: 0.9 MB with three numbers in each, well within what a body may be."""

REPORT_REQUESTS_MAX = 50
"""Reports that a party is asked for at once: each costs it work every few seconds."""

# -- parties -------------------------------------------------------------------------

PENDING_PARTIES_MAX = 1_000
"""Certificates of a trusted root that wait for approval: bounds what strangers can store."""

POLL_INTERVAL_MAX_S = 86_400
"""A party that is heard once a day may as well be called by telephone."""

# -- retries -------------------------------------------------------------------------

RETRY_FIRST_S = 1.0
"""OpenADR 2.0b 9.1.7: truncated binary exponential back-off from about one second."""

RETRY_JITTER = 0.1
"""The same clause: plus or minus ten per cent."""

# -- pushing to 2.0b parties ----------------------------------------------------------

PUSHES_IN_FLIGHT_MAX = 1_000
"""Exchanges at a time: a descriptor and some tens of kilobytes of TLS each."""

PUSH_RETRIES_IN_FLIGHT_MAX = 100
"""Of them, those with parties that failed when they were last tried: the dead leave room for the living."""

# -- device commands -----------------------------------------------------------------

COMMAND_LEASE_MAX_S = 86_400.0
"""A device that nobody has spoken to for a day is on its own; leases are seconds to minutes."""

COMMAND_RAMP_MAX_S = 3_600.0
"""Slower ramps are the dispatcher's, round by round."""

BROKER_RETRY_MAX_S = 15.0
"""Between two tries to reach the broker: half a lease, so that a short outage costs no command its renewal."""

# -- deliveries to 2.0b parties ------------------------------------------------------

DELIVERY_RESEND_FIRST_S = 2.0
"""A VEN that drains the queue polls again at once; its answer needs a moment before we say it again."""

DELIVERY_RESEND_MAX_S = 60.0
"""Each repeat waits twice as long as the one before, up to here: an event of minutes must still get through."""

ERRANDS_MAX = 100
"""Messages that wait for one party besides its events: a handful is normal, and a peer can cause some."""

UNANSWERED_SENDS_MAX = 5
"""What needs no answer, or gets none it should have, is said this often and then taken as known."""

CANCELLED_SENDS_MAX = 20
"""2.0b R52: so often a party that never acknowledges a cancelled event is told of it: for a quarter of an hour."""

PUSH_REMINDER_FIRST_S = 5.0
PUSH_REMINDER_MAX_S = 300.0
"""A party that has taken an event from our hands has it: what is left to wait for is its answer, which a person may
give. It is reminded after pauses that double from here to there."""

PUSH_REMINDERS_MAX = 10
"""So often one that never answers is told of the same, in twenty minutes; then an operator is told instead."""

# -- clocks --------------------------------------------------------------------------

CLOCK_DRIFT_MAX_S = 2.0
"""A leap second and a slow time server stay below; a step beyond freezes new starts."""

CLOCK_SLEW_MAX = 500e-6
"""Seconds a second by which a small difference is followed: what NTP itself allows."""

WATCHDOG_BEAT_S = 1.0
WATCHDOG_STALL_S = 2.0
"""A loop that is later than this could not have answered a fast-response event in time."""

CANCELLED_TOLD_S = 7 * 86_400.0
"""An event without an end that was cancelled has no end after which it need not be told: a week, then."""

# -- tokens ----------------------------------------------------------------------------

TOKEN_MAX_CHARS = 8_000
"""What fits in a header field beside its name: providers that list many roles make long tokens."""

KEY_SET_ASKED_S = 60.0
"""Security T17: a provider is asked for its keys this often at most, however many tokens name unknown ones."""

KEY_SET_STALE_MAX_S = 86_400.0
"""While a provider does not answer, the keys it had still count: a day, by which somebody has noticed."""
