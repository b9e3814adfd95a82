"""Cells of the fleet in other processes: the agent sends what changed and asks, shards compute and answer."""
