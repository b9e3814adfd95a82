"""A hook of the conformance harness that is started once: to start Python anew for each of its calls, with all that
an operator's command line imports, takes half a minute of a suite.

``python lasting_hook.py SOCKET`` is the hook itself, and imports next to nothing (run it with ``-S -I``): it hands its
environment to who listens at the socket, says what that says, and ends as that ends.
"""

import json
import os
import socket
import sys


def main() -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(sys.argv[1])
        line.sendall(json.dumps(dict(os.environ)).encode())
        line.shutdown(socket.SHUT_WR)
        with line.makefile("rb") as answer:
            status, said, complained = json.loads(answer.read())
    sys.stdout.write(said)
    sys.stderr.write(complained)
    sys.exit(status)


if __name__ == "__main__":
    main()
