"""``make demo``: prepare, enrol, relieve, ask both, judge; exit status 0 only if the promises held."""

import argparse
import contextlib
import signal
import sys
import time
from pathlib import Path

from demo import scenario, story
from demo.processes import DemoFailed
from demo.verdict import judge

FOLDER = Path(__file__).resolve().parent / "run"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where settings, stores and logs go (default: %(default)s)"
    )
    parser.add_argument("--keep", action="store_true", help="keep serving the pages at the end, until Ctrl-C")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    evening = scenario.open_lab(arguments.folder)
    try:
        scenario.prepare(evening)
        scenario.enrol(evening)
        scenario.relieve(evening)
        scenario.ask_both(evening)
        card = judge(evening)
        story.chapter("Final card")
        story.block(card.text())
        scenario.note_card(evening, card.text())
        story.say(f"Settings, stores, logs and the meter's record are in {arguments.folder}.")
        story.say(f"It took {time.monotonic() - started:.0f} s.")
        if arguments.keep or sys.stdin.isatty():
            story.say("The pages stay up until you press Ctrl-C.")
            _wait_for_ctrl_c()
    except DemoFailed as failure:
        story.chapter("The demo failed")
        story.block(str(failure))
        return 1
    except KeyboardInterrupt:
        story.say("Stopping.")
        return 130
    finally:
        evening.lab.processes.stop_all()
    return 0 if card.kept else 1


def _wait_for_ctrl_c() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
