"""The descriptions tell the truth: every route with its scope, and every answer has the members they promise."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from openadr_vtn.http.addresses import ADMIN, OADR3, OADR301
from tests.vtn.oadr3.routes_of_3_0_1 import ROUTES_OF_3_0_1
from tests.vtn.operator.desk_bench import DeskBench
from tests.vtn.operator.test_operator_access import ROUTES

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas" / "openadr3"
METHODS = {"get", "post", "put", "delete"}
NAMES = ("operator", "admin", "version-3.0.1")
DOCUMENTS = {name: yaml.safe_load((SCHEMAS / f"{name}.yaml").read_text()) for name in NAMES}
JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
}  # fmt: skip


def described() -> set[tuple[str, str, str]]:
    """Method, address, scope."""
    found = set()
    for name, base in (("operator", OADR3), ("admin", ADMIN), ("version-3.0.1", OADR301)):
        for path, item in DOCUMENTS[name]["paths"].items():
            for method in METHODS & set(item):
                security = item[method]["security"]
                scope = security[0]["oauth"][0] if security else ""
                found.add((method.upper(), base + path, scope))
    return found


@pytest.mark.openadr3("U7")
def test_every_route_is_described_with_its_scope() -> None:
    served = {(method, path.replace("parties/x", "parties/{party}"), scope) for method, path, scope in ROUTES}
    for many, named in (("curves/x", "curves/{number}"), ("x/rates/x", "x/rates/{name}")):
        served = {(method, path.replace(many, named), scope) for method, path, scope in served}
    served = {(method, path.replace("/x", "/{id}"), scope) for method, path, scope in served}
    any_read = {("GET", f"{OADR3}/notifiers", "read_bl")}
    tokens = {
        ("GET", f"{OADR3}/auth/server", ""),
        ("POST", f"{OADR3}/auth/token", ""),
        ("GET", f"{OADR3}/auth/keys", ""),
    }
    older = {(method, f"{OADR301}/{path}".replace("/x", "/{id}"), scope) for method, path, scope in ROUTES_OF_3_0_1}
    assert described() == served | any_read | tokens | older


async def test_answers_are_as_described(desk: DeskBench) -> None:
    await desk.add_party("one")
    program_id = await desk.create_program()
    event_id = await desk.create_event(program_id)
    watch = {"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "https://hook.example/"}
    body = {"clientName": "house", "objectOperations": [watch]}
    subscription_id = (await desk.http.post(f"{OADR3}/subscriptions", json=body)).json()["id"]
    for name, path, schema in (
        ("operator", f"{OADR3}/programs/{program_id}", "program"),
        ("operator", f"{OADR3}/events/{event_id}", "event"),
        ("operator", f"{OADR3}/vens/id-one", "ven"),
        ("operator", f"{OADR3}/subscriptions/{subscription_id}", "subscription"),
        ("operator", f"{OADR3}/notifiers", "notifiers"),
        ("operator", f"{OADR3}/notifiers/mqtt/topics/events", "topics"),
        ("operator", f"{OADR3}/nothing", "problem"),
        ("operator", f"{OADR3}/auth/server", "authServer"),
        ("operator", f"{OADR3}/auth/keys", "keySet"),
        ("admin", f"{ADMIN}/events/{event_id}", "eventDetail"),
        ("admin", f"{ADMIN}/parties/one", "partyDetail"),
    ):
        check((await desk.http.get(path)).json(), {"$ref": f"#/components/schemas/{schema}"}, name)
    for path, schema in (
        ("parties", "partyView"), ("events", "eventView"), ("audit", "auditEntry"),
        (f"events/{event_id}/ledger", "ledgerRow"), (f"events/{event_id}/compliance", "compliance"),
    ):  # fmt: skip
        (first, *_) = (await desk.http.get(f"{ADMIN}/{path}")).json()
        check(first, {"$ref": f"#/components/schemas/{schema}"}, "admin")


def test_the_check_sees_what_is_missing() -> None:
    with pytest.raises(AssertionError):
        check({"status": 404}, {"$ref": "#/components/schemas/problem"}, "operator")


def check(value: Any, schema: dict[str, Any], document: str) -> None:
    """As much of OpenAPI as the files use: references, allOf, types, required members, enumerations."""
    if "$ref" in schema:
        document_name, _, pointer = schema["$ref"].partition("#/")
        name = document_name.removesuffix(".yaml") or document
        found = DOCUMENTS[name]
        for part in pointer.split("/"):
            found = found[part]
        check(value, found, name)
        return
    for part in schema.get("allOf", []):
        check(value, part, document)
    if value is None:
        assert schema.get("nullable"), schema
        return
    if "type" in schema:
        assert isinstance(value, JSON_TYPES[schema["type"]]), (value, schema)
    assert value in schema.get("enum", [value])
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), (value, schema["required"])
        for name, member in schema.get("properties", {}).items():
            if name in value:
                check(value[name], member, document)
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            check(item, schema["items"], document)
