"""OCPP 1.6, 2.0.1 and 2.1: a central system for charging stations, as a driver of the edge.

Stations come to us over TLS, with a password (security profile 2) or a certificate (profile 3); what they are
told are charging profiles that end by themselves, which is what the gateway contract wants of a lease. The
messages and their schemas are the ``ocpp`` package's.
"""
