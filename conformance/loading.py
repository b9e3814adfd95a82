"""Procedure files to procedures: everything that can be wrong in one is said before anything is sent.

How they are written is told in ``procedures/README.md``.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from conformance.api.reading import ApiStepReader
from conformance.api.ven_reading import ApiVenStepReader
from conformance.procedure import Procedure, Step
from conformance.sep2.client_reading import Sep2ClientStepReader
from conformance.sep2.reading import Sep2StepReader
from conformance.step_kinds import Message, StepReader, read_service
from conformance.ven.reading import VenStepReader
from conformance.vtn.reading import VtnStepReader
from conformance.yaml_nodes import document
from openadr_core.errors import ConfigError

PROCEDURES = Path(__file__).parent / "procedures"
MESSAGES_FILE = "messages.yaml"
SEQUENCES_FILE = "sequences.yaml"
READERS: Mapping[str, type[StepReader]] = {
    "vtn": VtnStepReader,
    "ven": VenStepReader,
    "openadr3-vtn": ApiStepReader,
    "openadr3-ven": ApiVenStepReader,
    "server": Sep2StepReader,
    "client": Sep2ClientStepReader,
}
"""By the name of the suite, or else by the role of the peer under test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """All procedures for one kind of peer, and the sequences of steps that they share by name."""

    name: str
    procedures: tuple[Procedure, ...]
    sequences: Mapping[str, tuple[Step, ...]]
    messages: Mapping[str, Message]


def suite_names() -> tuple[str, ...]:
    """As the command line takes them: ``openadr20b-vtn``."""
    folders = (path.parent for path in PROCEDURES.glob(f"*/*/{SEQUENCES_FILE}"))
    return tuple(sorted(f"{folder.parent.name}-{folder.name}" for folder in folders))


@cache
def load_suite(name: str) -> Suite:
    if name not in suite_names():
        raise ConfigError(f"no suite {name!r}; there are {', '.join(suite_names())}")
    protocol, _, role = name.rpartition("-")
    return load_folder(PROCEDURES / protocol / role, name=name)


def load_folder(folder: Path, *, name: str) -> Suite:
    """The procedures of a folder, in the order of their file names, which is the order of the run."""
    messages = _load_messages(folder / MESSAGES_FILE)
    reader = READERS.get(name, READERS[name.rpartition("-")[2]])(messages)
    section = document(folder / SEQUENCES_FILE)
    sequences = {key: reader.steps(section, key) for key in section.keys}
    files = sorted(path for path in folder.glob("*.yaml") if path.name not in {SEQUENCES_FILE, MESSAGES_FILE})
    procedures = tuple(_load_procedure(file, reader, sequences) for file in files)
    if twice := _twice(procedure.id for procedure in procedures):
        raise ConfigError(f"{folder}: two procedures have the same id: {twice}")
    return Suite(name=name, procedures=procedures, sequences=sequences, messages=messages)


def _load_procedure(file: Path, reader: StepReader, sequences: Container[str]) -> Procedure:
    section = document(file)
    procedure = Procedure(
        id=section.text("id"),
        title=section.text("title"),
        preconditions=section.texts("preconditions", ()),
        steps=reader.steps(section, "steps"),
        afterwards=section.texts("afterwards", ()),
        needs=section.texts("needs", ()),
    )
    section.finish()
    for key, names in (("preconditions", procedure.preconditions), ("afterwards", procedure.afterwards)):
        if unknown := [name for name in names if name not in sequences]:
            raise section.fault(key, f"{', '.join(unknown)}: not in {SEQUENCES_FILE}")
    if not procedure.checks:
        raise section.fault("steps", "nothing is checked")
    if twice := _twice(check.id for check in procedure.checks):
        raise section.fault("steps", f"two checks have the same id: {twice}")
    return procedure


def without_extensions(suite: Suite) -> Suite:
    """What a standard asks for, and nothing else."""
    kept = (replace(procedure, steps=_required(procedure.steps)) for procedure in suite.procedures)
    return replace(suite, procedures=tuple(procedure for procedure in kept if procedure.checks))


def _required(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(replace(step, expect=tuple(check for check in step.expect if not check.extension)) for step in steps)


def _load_messages(file: Path) -> dict[str, Message]:
    """A protocol whose messages have no names has no such file."""
    if not file.exists():
        return {}
    section = document(file)
    messages = {}
    for name in section.keys:
        inner = section.section(name)
        messages[name] = Message(service=read_service(inner), payload=inner.text("payload"))
        inner.finish()
    return messages


def _twice(ids: Iterable[str]) -> str:
    return ", ".join(sorted(name for name, count in Counter(ids).items() if count > 1))
