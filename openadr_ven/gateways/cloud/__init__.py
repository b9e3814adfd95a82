"""Somebody else's cloud between us and the devices: an HTTP API that settings describe, as a driver of the edge."""
