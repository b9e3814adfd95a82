"""Answers that may be a second old: many pages that are open cost no more than one."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

AGE_MAX_S = 0.9
"""Pages ask once a second."""
COST_FACTOR = 10
"""An answer that is dear to make is kept for longer, so that pages take at most a tenth of our time."""
ANSWERS_MAX = 50


@dataclass(slots=True)
class _Answer:
    text: str
    good_until_s: float


@dataclass(slots=True, kw_only=True)
class FreshAnswers:
    steady_s: Callable[[], float]
    _answers: "OrderedDict[str, _Answer]" = field(default_factory=OrderedDict)
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, key: str, make: Callable[[], Awaitable[str]]) -> str:
        """The answer under this key, made anew if it is too old. What ``make`` raises is raised, and not kept."""
        async with self._making:
            answer = self._answers.get(key)
            begun_s = self.steady_s()
            if answer is not None and begun_s < answer.good_until_s:
                return answer.text
            text = await make()
            ended_s = self.steady_s()
            self._answers[key] = _Answer(text, ended_s + max(AGE_MAX_S, COST_FACTOR * (ended_s - begun_s)))
            self._answers.move_to_end(key)
            if len(self._answers) > ANSWERS_MAX:
                self._answers.popitem(last=False)
            return text
