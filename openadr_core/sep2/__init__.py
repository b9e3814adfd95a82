"""IEEE 2030.5-2018 with its CSIP and CSIP-AUS profiles: the types of its XML as values, and their codec.

Class names are the standard's types; field names are its elements' and attributes' in snake case
(:mod:`openadr_core.sep2.names` knows how they are spelt), in wire order. Times are seconds since 1970,
bit maps are upper-case hex texts, quantities are a value and a power of ten: as the wire has them.
"""
