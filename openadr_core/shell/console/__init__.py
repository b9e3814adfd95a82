"""What the consoles of both sides are made of: who may see them, their style, charts and tables.

A console is plain HTTP on loopback. ``gate`` lets in whoever has the address that was printed at
start; ``ASSETS`` is the folder that its pages' common scripts and style are served from.
"""

from importlib.resources import files
from pathlib import Path

ASSETS = Path(str(files("openadr_core.shell.console") / "assets"))
ASSETS_PREFIX = "/shared/"
