"""What the harness knows of IEEE 2030.5: names and media types. No decoder."""

MEDIA_TYPE = "application/sep+xml"

NAMESPACES = {
    "sep": "urn:ieee:std:2030.5:ns",
    "aus": "https://csipaus.org/ns",
    "aus13": "https://csipaus.org/ns/v1.3",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
