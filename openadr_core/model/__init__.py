"""The canonical model: what an event, a party, an opt and a report are, in no protocol's words.

Units are SI (watts, seconds), times are aware UTC datetimes, and the protocols' disagreements
about priority, "now", for ever, status and sign are settled here once; each protocol's
``translate`` module is the only place that knows the difference.
"""
