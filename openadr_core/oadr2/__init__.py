"""OpenADR 2.0b: messages, bytes, the conversation's table, and the way to the canonical model."""
