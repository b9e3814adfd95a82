"""The command line, a file for each noun."""

from openadr_ven.cli.root import main

__all__ = ["main"]
