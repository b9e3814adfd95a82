"""What the VTN does when told: handlers over ports, one transaction for each command."""
