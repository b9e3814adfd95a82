"""IEEE 2030.5 southward: the VTN's server, embedded, faces the aggregator's own devices.

``driver`` is what the edge drives; ``words`` says what its orders are in 2030.5, and what devices' words are to it;
``embedded`` is the one module of the VEN that knows the VTN.
"""
