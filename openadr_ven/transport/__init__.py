"""Carries a core's exchanges over mutual TLS, and decides nothing."""
