"""Listeners: where the world reaches the VTN over HTTP. Handlers are thin; what they decide is decided elsewhere."""
