"""What a registration is to a VEN: what it tells of itself, what the VTN gives it, and how it ends (1.6)."""

from dataclasses import replace
from datetime import timedelta

from openadr_core.oadr2 import messages as m
from openadr_ven.domain.records import to_record
from openadr_ven.protocols.oadr2.memory import Memory
from openadr_ven.protocols.oadr2.speech import OK, SessionSettings, response_of


def self_description(settings: SessionSettings) -> str:
    """All that a registration tells of us, as one text: where it differs, we must register again (2.0b 8.4.1)."""
    return to_record((settings.ven_name, settings.transport_address, settings.report_only, settings.xml_signature))


def at_start(memory: Memory, settings: SessionSettings) -> Memory:
    """The memory of a session that begins: with a registration that was agreed on without a word, if there is one.

    G13: such a registration is entered on both sides; the VTN's id is then whatever it says it is.
    """
    # R61 and F9: what happened while we were down shows in the whole list of events, so it is asked for.
    # R309: after power-up our metadata is told again.
    memory = replace(memory, synchronised=False, offered=False)
    if not memory.registered and settings.registration_id:
        memory = replace(
            memory,
            registration_id=settings.registration_id,
            ven_id=settings.ven_id,
            registered_as=self_description(settings),
        )
    changed = memory.registered and memory.registered_as != self_description(settings)
    return replace(memory, renewing=memory.renewing or changed)


def registered(memory: Memory, message: m.CreatedPartyRegistration, settings: SessionSettings) -> Memory:
    """The memory after the VTN registered us; R406: a new registration begins with no reports on either side."""
    ven_id = memory.ven_id
    if message.registration_id != memory.registration_id:
        memory = memory.unregistered()
    return replace(
        memory,
        registration_id=message.registration_id or "",
        # G4: the VTN gives the venID; what we called ourselves is gone.
        ven_id=message.ven_id or ven_id or settings.ven_id,
        vtn_id=message.vtn_id,
        poll_freq=message.requested_poll_freq or timedelta(0),
        registered_as=self_description(settings),
        renewing=False,
        offered=False,
        synchronised=False,
    )


def cancelled(memory: Memory, message: m.CancelPartyRegistration) -> tuple[Memory, m.Message, bool]:
    """R407: the memory after the VTN cancelled a registration, our confirmation, and whether it was ours."""
    ours = message.registration_id == memory.registration_id
    answer = m.CanceledPartyRegistration(
        response=response_of(OK if ours else "452", message.request_id),
        registration_id=message.registration_id,
        ven_id=memory.ven_id,
    )
    return (memory.unregistered() if ours else memory), answer, ours
