"""This project's own VTN's operator (``our_vtn_operator.py``), as a process that lasts: behind ``lasting_hook.py``.

Its arguments are a path for the socket, then the operator's.
"""

import contextlib
import io
import json
import os
import socket
import sys

from tests.interop.our_vtn_operator import main as operator


def answered(environment: dict[str, str]) -> tuple[int, str, str]:
    """The exit status, and what is printed."""
    said, complained, status = io.StringIO(), io.StringIO(), 0
    os.environ.clear()
    os.environ.update(environment)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            operator()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    return status, said.getvalue(), complained.getvalue()


def main() -> None:
    path = sys.argv.pop(1)
    with socket.socket(socket.AF_UNIX) as desk:
        desk.bind(path)
        desk.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            line, _ = desk.accept()
            with line, line.makefile("rb") as asked:
                line.sendall(json.dumps(answered(json.loads(asked.read()))).encode())


if __name__ == "__main__":
    main()
