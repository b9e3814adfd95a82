"""OpenADR 3.1, as far as a utility's system (the business-logic role) needs it to write programs and events.

Documents are kept as they were written, numbers and all, beside the values that are read from them.
"""
