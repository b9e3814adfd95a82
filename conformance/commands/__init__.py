"""The commands that run a suite: one for each, with the options that its role needs."""
