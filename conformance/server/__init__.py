"""The harness as an HTTPS server: the VTN of a VEN, or the VEN that a VTN pushes to."""
