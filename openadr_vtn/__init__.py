"""The utility's endpoint: an event is written once and reaches every VEN in its own protocol."""
