"""How many records of one kind are worth writing: a flood of bad requests must not become a flood of logs."""

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Sampler:
    """The first few of a kind in each window are taken; the others are counted."""

    burst: int = 5
    window_s: float = 10.0
    kinds_max: int = 256
    """Kinds that are told apart at once; the table starts anew beyond, so that it stays small."""
    _windows: dict[str, "_Window"] = field(default_factory=dict)

    def take(self, kind: str, at_s: float) -> int | None:
        """None if this one is to be left out; else how many of its kind were left out since the last one taken."""
        window = self._windows.get(kind)
        if window is None:
            if len(self._windows) >= self.kinds_max:
                self._windows.clear()
            window = self._windows[kind] = _Window(began_s=at_s)
        elif at_s - window.began_s >= self.window_s:
            window.began_s, window.taken = at_s, 0
        if window.taken >= self.burst:
            window.left_out += 1
            return None
        window.taken += 1
        left_out, window.left_out = window.left_out, 0
        return left_out


@dataclass(slots=True, kw_only=True)
class _Window:
    began_s: float
    taken: int = 0
    left_out: int = 0
