"""What the agent decides, and what it remembers: values and rules, with no I/O and no clock."""
