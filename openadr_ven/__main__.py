"""``openadr-ven``, and ``python -m openadr_ven``."""

from openadr_ven.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
