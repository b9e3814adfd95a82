"""`python -m openadr_vtn`, and what the command `openadr-vtn` starts."""

from openadr_vtn.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
