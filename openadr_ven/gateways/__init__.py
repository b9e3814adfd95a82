"""From the agent to the devices: the public contract that gateways speak, and what carries it."""
