"""The little I/O that both sides need: TLS, clocks, files, HTTP armour, logs, metrics. Nothing pure imports it."""
