"""The harness that judges a VTN or a VEN, ours or a stranger's, at any URL."""
