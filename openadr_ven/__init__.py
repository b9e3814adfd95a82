"""The aggregator's deployment: events in, commands for every device out, delivery reported back."""
