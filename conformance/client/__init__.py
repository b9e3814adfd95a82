"""The harness as an HTTP client over mutual TLS: of a VTN, or of the server of a VEN that is pushed to."""
