"""Subscriptions and notifications."""

from dataclasses import dataclass

from openadr_core.sep2.base import List, Resource
from openadr_core.sep2.scalars import Int48, String16, UInt8, UInt32, Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Thresholds of a reading that is subscribed to."""

    attribute_identifier: UInt8
    lower_threshold: Int48
    upper_threshold: Int48


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionBase(Resource):
    subscribed_resource: Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription(SubscriptionBase):
    """A wish to be told when a resource changes."""

    condition: Condition | None = None
    encoding: UInt8
    level: String16
    limit: UInt32
    notification_uri: Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionList(List):
    poll_rate: UInt32 | None = None
    subscription: tuple[Subscription, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification(SubscriptionBase):
    """That it did: its new representation, or why there will be no more."""

    new_resource_uri: Uri | None = None
    resource: Resource | None = None
    status: UInt8
    subscription_uri: Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationList(List):
    notification: tuple[Notification, ...] = ()
