"""Watts over devices: exact clearing under network limits, the safety envelope, and the correction loop."""
