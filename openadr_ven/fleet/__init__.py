"""The fleet as columns, and the physics of its device classes: pure NumPy, with no object per device."""
