"""How the demo talks in the terminal: plain lines, with colour only where a person is looking."""

import sys

_COLOUR = sys.stdout.isatty()


def chapter(title: str) -> None:
    print(f"\n{_bold('── ' + title + ' ' + '─' * max(0, 76 - len(title)))}")


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def command(text: str) -> None:
    print(f"  {_dim('$')} {_bold(text)}", flush=True)


def block(text: str) -> None:
    print("\n".join(f"    {line}" for line in text.rstrip().splitlines()), flush=True)


def page(title: str, url: str) -> None:
    print(f"  {title:<21} {url}", flush=True)


def accident(text: str) -> None:
    print(f"  {_bold('!')} {text}", flush=True)


def table_head() -> None:
    print(f"    {'after':>7} {'target':>10} {'VTN says':>10} {'meter':>10}   kW", flush=True)


def line(since_s: float, target_kw: float, reported_kw: float | None, metered_kw: float) -> None:
    reported = "–" if reported_kw is None else f"{reported_kw:,.0f}"
    bar = "█" * max(0, round(metered_kw / 200))
    print(f"    {since_s:>5.0f} s {target_kw:>10,.0f} {reported:>10} {metered_kw:>10,.0f}   {_dim(bar)}", flush=True)


def progress(left_s: float) -> None:
    """A countdown that leaves no trace; silent where nobody looks."""
    if _COLOUR:
        print(f"\r    {left_s:>3.0f} s " if left_s else "\r          \r", end="", flush=True)


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if _COLOUR else text


def _dim(text: str) -> str:
    return f"\033[2m{text}\033[0m" if _COLOUR else text
