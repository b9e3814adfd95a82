"""Which characters a text may hold: those that every protocol here can carry.

XML has no spelling at all for most control characters, so a text with one could be stored and never be told.
"""

import re

_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def is_carried(text: str) -> bool:
    """Whether XML can carry every character of the text, in some spelling."""
    # isprintable is a quick look that clears nearly every text; only the rest is searched.
    return text.isprintable() or not _NOT_IN_XML.search(text)
