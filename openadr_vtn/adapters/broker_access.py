"""Who is who at the MQTT broker: what its clients authenticate with, as OpenADR 3.1's ``/notifiers`` tells them."""

from collections.abc import Callable, Mapping
from datetime import datetime

from openadr_core.errors import ConfigError, RuleBroken
from openadr_core.pki import Authority, issue
from openadr_core.shell.keyfiles import certificate_profile
from openadr_vtn.settings import MqttSettings

ANONYMOUS, OAUTH2, CERTIFICATE = "ANONYMOUS", "OAUTH2_BEARER_TOKEN", "CERTIFICATE"
PROFILE = "openadr-ecc-ven"


def admission(settings: MqttSettings, now: Callable[[], datetime]) -> Callable[[str], Mapping[str, str]]:
    """What a client of this id is told.

    Interpretation: 3.1 has the VTN hand out certificate and key. Each answer brings a new pair for the client that
    asks, named by its client id and good for some days, so that the broker's rights can follow the API's.
    """
    if settings.authentication == ANONYMOUS:
        return lambda _client_id: {"method": ANONYMOUS}
    if settings.authentication == OAUTH2:
        return lambda _client_id: {"method": OAUTH2, "username": settings.client_username}
    if settings.client_authority is None:
        raise ConfigError("mqtt.client_authority: is needed, for certificates to be handed out")
    profile = certificate_profile(PROFILE)
    certificate_pem = settings.client_authority.certificate.read_bytes()
    authority = Authority(
        certificate_pem=certificate_pem, key_pem=settings.client_authority.key.read_bytes(), chain_pem=certificate_pem
    )
    trusted = "".join(path.read_text() for path in settings.trust)

    def issued(client_id: str) -> Mapping[str, str]:
        made = issue(profile, client_id, authority, now(), days=settings.client_days)
        return {
            "method": CERTIFICATE,
            "caCert": trusted,
            "clientCert": made.chain_pem.decode(),
            "clientKey": made.key_pem.decode(),
        }

    try:
        issued("check")
    except (RuleBroken, ValueError) as error:
        raise ConfigError(f"mqtt.client_authority: {error}") from None
    return issued
