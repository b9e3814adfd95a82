"""What `[mqtt]` and `[webhooks]` in vtn.toml may say, and how a slip is named."""

from pathlib import Path

import pytest

from openadr_core.errors import ConfigError
from openadr_vtn.settings import Settings, load

MQTT = """
[mqtt]
url = "mqtts://broker.example"
trust = ["certs/openadr-ecc-root.pem"]
authentication = "CERTIFICATE"
client_authority = { certificate = "certs/operator.pem", key = "certs/operator.key" }
"""


def loaded(made: Path, more: str) -> Settings:
    file = made / "changed.toml"
    file.write_text((made / "vtn.toml").read_text() + more)
    return load(file)


def test_paths_are_those_of_the_files_folder(made: Path) -> None:
    mqtt = loaded(made, MQTT).mqtt
    assert mqtt is not None
    assert mqtt.client_authority is not None
    assert (mqtt.trust, mqtt.client_authority.key) == (
        (made / "certs/openadr-ecc-root.pem",), made / "certs/operator.key",
    )  # fmt: skip
    assert mqtt.told_uris == ("mqtts://broker.example",)
    assert loaded(made, "").mqtt is None


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("mqtts://", "mqtt://", "mqtt.url"),
        ("broker.example", "user:secret@broker.example", "mqtt.url"),
        ('"CERTIFICATE"', '"PASSWORD"', "mqtt.authentication"),
        ("client_authority", "# client_authority", "client_authority is needed"),
        ("openadr-ecc-root.pem", "none.pem", "mqtt.trust"),
        ("operator.key", "none.key", "mqtt.client_authority"),
        ("trust =", "thrust =", "mqtt.thrust"),
    ],
)
def test_a_slip_is_named(made: Path, before: str, after: str, named: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(made, MQTT.replace(before, after, 1))
    assert named in str(raised.value)
