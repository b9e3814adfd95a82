"""As many connections as the system grants, whatever it starts us with: in a process of its own."""

import resource
import subprocess
import sys

FEW = 256
ASKS = """
import resource
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, ({few}, most))
from openadr_core.shell.open_files import raise_open_files
said = raise_open_files()
assert said == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
print(said)
"""


def test_all_that_is_granted_is_taken() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = subprocess.run([sys.executable, "-c", ASKS.format(few=FEW)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == most
