"""Devices that are not there: a town of them behind gateways, on the public contract, with its own meter."""
