"""YAML read key by key, so that every fault names its file, its line and its key."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import yaml

from openadr_core.errors import ConfigError

Chosen = TypeVar("Chosen", bound=StrEnum)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A package made without libyaml has the slow one alone."""


class Section:
    """A YAML mapping being read. Ask for every key it may have, then call ``finish``."""

    def __init__(self, file: Path, node: yaml.Node) -> None:
        self.file = file
        self.line = _line(node)
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{file}:{self.line}: expected keys and values")
        self._nodes: dict[str, yaml.Node] = {}
        self._asked: set[str] = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in self._nodes:
                raise ConfigError(f"{file}:{_line(key_node)}: {key}: given twice")
            self._nodes[key] = value_node

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._nodes

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._nodes)

    def is_null(self, key: str) -> bool:
        return _is_null(self._node(key))

    def fault(self, key: str, message: str) -> ConfigError:
        """An error about one key, for the caller to raise."""
        line = _line(self._nodes[key]) if key in self._nodes else self.line
        return ConfigError(f"{self.file}:{line}: {key}: {message}")

    def text(self, key: str, default: str | None = None) -> str:
        if key not in self and default is not None:
            return default
        return self._scalar(key, self._node(key))

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """One text, or a list of them."""
        if key not in self and default is not None:
            return default
        node = self._node(key)
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        return tuple(self._scalar(key, item) for item in items)

    def numbers(self, key: str, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
        if key not in self and default is not None:
            return default
        return tuple(self._number(key, text) for text in self.texts(key))

    def number(self, key: str, default: float | None = None) -> float:
        if key not in self and default is not None:
            return default
        return self._number(key, self.text(key))

    def flag(self, key: str, *, default: bool) -> bool:
        text = self.text(key, str(default).lower())
        if text not in {"true", "false"}:
            raise self.fault(key, f"expected true or false, not {text!r}")
        return text == "true"

    def choice(self, key: str, choices: type[Chosen], default: Chosen) -> Chosen:
        text = self.text(key, default.value)
        try:
            return choices(text)
        except ValueError:
            raise self.fault(key, f"{text!r} is none of {', '.join(choices)}") from None

    def the_one(self, keys: Iterable[str]) -> str:
        """Which of these keys is there: exactly one must be."""
        there = [key for key in keys if key in self]
        if len(there) != 1:
            raise ConfigError(f"{self.file}:{self.line}: there must be exactly one of {', '.join(keys)}")
        return there[0]

    def section(self, key: str) -> "Section":
        return Section(self.file, self._node(key))

    def sections(self, key: str) -> "Iterator[Section]":
        """The mappings of a list; nothing if the key is not there."""
        if key not in self:
            return
        node = self._node(key)
        if not isinstance(node, yaml.SequenceNode):
            raise self.fault(key, "expected a list")
        for item in node.value:
            yield Section(self.file, item)

    def pairs(self, key: str) -> dict[str, str | None]:
        """Text by text, where ``null`` is None; nothing if the key is not there."""
        if key not in self:
            return {}
        inner = self.section(key)
        return {name: None if inner.is_null(name) else inner.text(name) for name in inner.keys}

    def finish(self) -> None:
        """Refuse what nobody asked for: a misspelt key must not pass for an absent one."""
        for key in self._nodes:
            if key not in self._asked:
                raise self.fault(key, f"no such key here; there may be {', '.join(sorted(self._asked))}")

    def _node(self, key: str) -> yaml.Node:
        if key not in self:
            raise self.fault(key, "is missing")
        return self._nodes[key]

    def _scalar(self, key: str, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or _is_null(node):
            raise self.fault(key, "expected a text or a number")
        return str(node.value)

    def _number(self, key: str, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise self.fault(key, f"expected a number, not {text!r}") from None


def document(file: Path) -> Section:
    """The one document of a YAML file."""
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=LOADER)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise ConfigError(f"{file}:{line}: {fault.problem or fault.context}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise ConfigError(f"{file}: {fault}") from None
    if node is None:
        raise ConfigError(f"{file}:1: the file is empty")
    return Section(file, node)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")
