"""What judges a VEN: the harness is its VTN, listens, and tells what the procedure wants told."""
