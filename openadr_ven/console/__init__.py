"""What the agent shows: pages for its operator, /health and /metrics, on loopback only."""
