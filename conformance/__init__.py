"""The harness that judges a VTN or a VEN, ours or a stranger's, at any URL.

A procedure is a YAML file: what must be so beforehand, what to send, what the answer must be and which
clause says so. The runner carries it over mutual TLS and believes only what is on the wire: status,
headers, elapsed time, the bytes of the body, XPath over them and the schema. It knows neither side of ours.
"""
