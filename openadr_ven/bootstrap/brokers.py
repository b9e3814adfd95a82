"""Where the broker of the gateways is, and who we are there."""

import ssl

from openadr_ven.gateways.mqtt import BrokerAddress
from openadr_ven.settings import Settings


def broker_address(settings: Settings) -> BrokerAddress:
    chosen = settings.gateways
    return BrokerAddress(
        host=chosen.host,
        port=chosen.port,
        fleet=settings.fleet.name,
        client_id=chosen.client_id,
        tls=None if chosen.trust is None else ssl.create_default_context(cafile=str(chosen.trust)),
        username=chosen.username or None,
        password=chosen.password or None,
    )
