"""The harness as a client of IEEE 2030.5, for CSIP and CSIP-AUS."""
