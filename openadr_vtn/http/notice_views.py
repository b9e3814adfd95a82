"""What is known of notifications, as JSON for people's tools; no token and no secret is in it."""

from typing import Any

from openadr_core.oadr3.times import moment_text
from openadr_vtn.application.handlers.notice_views import DeadLetter, SubscriptionView
from openadr_vtn.domain.notification import NotificationState

Object = dict[str, Any]


def subscription_view_json(view: SubscriptionView) -> Object:
    one, stream = view.subscription, view.stream
    return {
        "id": one.id,
        "client_id": one.client_id,
        "client_name": one.client_name,
        "role": "business" if one.is_business else "ven",
        "program_id": one.program_id,
        "targets": list(one.targets),
        "watches": [
            {"objects": sorted(watch.kinds), "operations": sorted(watch.operations), "callback_url": watch.callback_url}
            for watch in one.watches
        ],
        "created_at": moment_text(one.created_at),
        **{state.value: view.counts.get(state, 0) for state in NotificationState},
        "last": None
        if stream is None
        else {
            "at": moment_text(stream.at),
            "outcome": stream.outcome,
            "failures": stream.failures,
            "retry_at": None if stream.retry_at is None else moment_text(stream.retry_at),
        },
    }


def dead_letter_json(letter: DeadLetter) -> Object:
    one, change = letter.notification, letter.change
    return {
        "number": one.number,
        "object_type": change.kind.value,
        "operation": change.operation.value,
        "object_id": change.object_id,
        "happened_at": moment_text(change.at),
        "attempts": one.attempts,
        "tried_at": None if one.tried_at is None else moment_text(one.tried_at),
        "outcome": one.outcome,
    }
