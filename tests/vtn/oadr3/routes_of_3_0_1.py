"""What is served of OpenADR 3.0.1: method, address under its base, scope."""

COLLECTIONS = (
    ("programs", "read_targets", "write_programs"),
    ("events", "read_targets", "write_events"),
    ("reports", "read_ven_objects", "write_reports"),
    ("subscriptions", "read_ven_objects", "write_subscriptions"),
    ("vens", "read_ven_objects", "write_vens"),
    ("vens/{ven}/resources", "read_ven_objects", "write_vens"),
)
ROUTES_OF_3_0_1 = {
    ("POST", "auth/token", ""),
    *((method, path, read) for path, read, _ in COLLECTIONS for method, path in (("GET", path), ("GET", f"{path}/x"))),
    *(
        (method, path, write)
        for path, _, write in COLLECTIONS
        for method, path in (("POST", path), ("PUT", f"{path}/x"), ("DELETE", f"{path}/x"))
    ),
}
