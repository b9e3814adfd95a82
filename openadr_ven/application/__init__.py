"""The agent: from what a protocol indicates to what the devices are told, and back to what was delivered."""
