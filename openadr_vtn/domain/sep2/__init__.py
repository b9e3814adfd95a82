"""What IEEE 2030.5 makes of devices, their groups and the controls of these."""
