"""The hook: how a procedure asks whoever operates the peer under test for something.

The hook is a shell command of the tester. It reads what is wanted from its environment, makes it happen by whatever
means the peer has, prints an identifier as its last line where one is asked for, and exits with 0. Exit status 77 says
that the peer cannot do this at all: the procedure is then not run. A hook may well ask a human.

``CONFORMANCE_ACTION``
    One of the words below.
``CONFORMANCE_VEN_ID``, ``CONFORMANCE_VEN_NAME``
    The VEN that it is about.
``CONFORMANCE_EVENT_ID``
    The event to modify, to cancel or to answer.
``CONFORMANCE_WISH``
    JSON: the details.

Of a VTN's operator:

``create-event``, ``modify-event``, ``cancel-event``
    The wish is the whole event: ``start`` (UTC), ``durations_s`` (0: without end), ``signals`` (each with ``name``,
    ``type``, ``unit``, ``scale``, ``values``, ``durations_s``, ``device_classes``), ``baseline``, ``targets``
    (lists of names: ``resources``, ``groups``, ``parties``; or ``everybody``, who takes part in its market context; the
    VEN itself if none of these), ``market`` (``other`` for a second market context, in which the second party has no
    part), ``priority``, ``start_after_s``, ``ramp_up_s``,
    ``notification_s``, ``recovery_s``, ``response_required``, ``test_event``, ``comment``. Prints the eventID.
``cancel-registration``, ``request-reregistration``
    Of the VEN.
``require-signatures``
    Of the VEN, if ``required`` in the wish is ``true``; otherwise no more.
``request-report``, ``cancel-report``
    To ask, the wish holds ``specifier`` (the reportSpecifierID, or ``METADATA``), ``granularity_s``, ``report_back_s``
    and, where they are said, ``start`` (UTC; now if not) and ``duration_s`` (0: without end, and of history all since
    the start); ``request-report`` prints the reportRequestID. To cancel, ``report_request_id`` and ``to_follow``.
``request-reports``
    The same for several ``specifiers``, with blanks between, in one oadrCreateReport. Prints their reportRequestIDs,
    with blanks between.

Of the operator of a server of IEEE 2030.5, with the device's LFDI as ``CONFORMANCE_VEN_ID``, or in the wish as ``lfdi``
where it is about one that an aggregator manages:

``create-control``, ``cancel-control``
    A DERControl for the device: the wish holds ``asks`` (JSON: the members of DERControlBase in the standard's names;
    powers may be plain numbers of W), ``start`` (seconds since 1970), ``duration_s`` and, where they are said,
    ``randomize_start_s``, ``randomize_duration_s`` and the mRID of the ``program`` that it is in. With ``kind``
    ``EndDeviceControl``, ``asks`` are its own members. Prints the mRID. To be cancelled: ``mrid``, and ``randomly``
    (``true``) if devices are to let go by their own randomisation.
``add-program``, ``change-program``, ``remove-program``
    A DERProgram for the device, in the same list as its own one, of this ``primacy``, or in ``above`` the mRID of a
    program that it lies below and whose primacy it has. Prints the mRID: the ``program`` to change or to remove.
``set-default``, ``remove-default``
    Of the ``program``: a DefaultDERControl, as JSON in ``default``.
``add-curve``
    To the ``program``: a DERCurve, as JSON in ``curve``. Prints what ``asks`` refers to it by.
``set-rate``, ``set-post-rate``
    How often, in ``seconds``, clients are to poll the ``resource`` (EndDeviceList, DERProgramList; no seconds: as the
    server has it by itself), and the device is to post.
``move-clock``
    Ahead by so many ``seconds``: a server whose clock goes by itself (Time.quality 7).
``withdraw-access``, ``grant-access``
    Of the device.

Of a VEN's operator:

``restart``
    Ends the VEN and starts it again.
``cancel-registration``, ``register``
    At the VTN.
``opt-event``
    Changes the answer to an event: the wish holds ``opt_type``.
``create-opt``, ``cancel-opt``
    An opt schedule: the wish holds ``opt_type``, ``start``, ``duration_s``; or, with an event, a qualification of it.
    ``create-opt`` prints the optID, if it can be known.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

HOOK_TIMEOUT_S = 300.0
"""Long enough for a human at a console."""
CANNOT = 77
"""The exit status by which test programs say that they do not apply."""

VTN_ACTIONS = (
    "create-event", "modify-event", "cancel-event", "cancel-registration", "request-reregistration",
    "require-signatures", "request-report", "request-reports", "cancel-report",
)  # fmt: skip
SEP2_ACTIONS = (
    "create-control", "cancel-control", "add-program", "change-program", "remove-program", "set-default",
    "remove-default", "add-curve", "set-rate", "set-post-rate", "move-clock", "withdraw-access", "grant-access",
)  # fmt: skip
VEN_ACTIONS = ("restart", "cancel-registration", "register", "opt-event", "create-opt", "cancel-opt")


class HookFailed(Exception):
    """The operator's side did not do as asked."""


class HookCannot(HookFailed):
    """The peer has no such thing."""


def run_hook(command: str, action: str, wish: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    """What the tester's command printed last: the identifier, where one is asked for."""
    environment = {**os.environ, **told(action, wish, variables)}
    try:
        done = subprocess.run(  # noqa: S602 it is the tester's own command
            command, shell=True, env=environment, capture_output=True, text=True, timeout=HOOK_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise HookFailed(f"the hook took longer than {HOOK_TIMEOUT_S:.0f} s to {action}") from None
    if done.returncode == CANNOT:
        raise HookCannot(f"a peer whose operator can {action}")
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing said"]
        raise HookFailed(f"the hook ended with {done.returncode} on {action}: {said[0]}")
    printed = done.stdout.strip().splitlines()
    return printed[-1].strip() if printed else ""


def told(action: str, wish: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """The hook's environment variables."""
    return {
        "CONFORMANCE_ACTION": action,
        "CONFORMANCE_VEN_ID": variables.get("ven_id", ""),
        "CONFORMANCE_VEN_NAME": variables.get("ven_name", ""),
        "CONFORMANCE_EVENT_ID": str(wish.get("event_id", "")),
        "CONFORMANCE_WISH": json.dumps(wish, separators=(",", ":")),
    }
