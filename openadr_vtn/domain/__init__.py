"""The utility's rules, as functions of values and of the time: no store, no wire, no clock."""
