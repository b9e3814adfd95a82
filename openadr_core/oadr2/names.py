"""The names of the 2.0b wire: namespaces, prefixes, units."""

OADR = "http://openadr.org/oadr-2.0b/2012/07"
EI = "http://docs.oasis-open.org/ns/energyinterop/201110"
PYLD = "http://docs.oasis-open.org/ns/energyinterop/201110/payloads"
EMIX = "http://docs.oasis-open.org/ns/emix/2011/06"
POWER = "http://docs.oasis-open.org/ns/emix/2011/06/power"
SCALE = "http://docs.oasis-open.org/ns/emix/2011/06/siscale"
XCAL = "urn:ietf:params:xml:ns:icalendar-2.0"
STRM = "urn:ietf:params:xml:ns:icalendar-2.0:stream"
ATOM = "http://www.w3.org/2005/Atom"
GML = "http://www.opengis.net/gml/3.2"
"""So rare that it is declared where it stands, and not in every envelope."""

PREFIXES = {
    "oadr": OADR,
    "ei": EI,
    "pyld": PYLD,
    "emix": EMIX,
    "power": POWER,
    "scale": SCALE,
    "xcal": XCAL,
    "strm": STRM,
}

UNIT_PREFIX = {
    "voltage": "power",
    "energyApparent": "power",
    "energyReactive": "power",
    "energyReal": "power",
    "powerApparent": "power",
    "powerReactive": "power",
    "powerReal": "power",
    "customUnit": "oadr",
    "current": "oadr",
    "currency": "oadr",
    "currencyPerKWh": "oadr",
    "currencyPerKW": "oadr",
    "currencyPerThm": "oadr",
    "frequency": "oadr",
    "Therm": "oadr",
    "temperature": "oadr",
    "pulseCount": "oadr",
}
"""Every element that stands for itemBase, but for Green Button's, by the prefix it is written with."""

WITH_POWER_ATTRIBUTES = {"powerApparent", "powerReactive", "powerReal"}
