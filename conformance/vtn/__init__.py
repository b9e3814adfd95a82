"""What judges a VTN: the harness is its VEN, and asks."""
