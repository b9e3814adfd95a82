"""A session and the scripted VTN that it talks to."""

from datetime import datetime

import pytest

from openadr_ven.protocols.oadr2 import Oadr2Session
from tests.ven.protocols.conversation import a_session
from tests.ven.protocols.scripted_vtn import (
    ScriptedVtn,
    talk,
)  # fmt: skip


@pytest.fixture
def vtn() -> ScriptedVtn:
    return ScriptedVtn()


@pytest.fixture
def session(now: datetime) -> Oadr2Session:
    return a_session(now)


@pytest.fixture
def registered(session: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> Oadr2Session:
    """A session that has told everything and heard nothing yet."""
    talk(session, vtn, now=now)
    session.indications()
    vtn.heard.clear()
    return session
