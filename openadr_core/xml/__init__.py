"""XML at the border: one hardened way in, validation by our own schemas, typed fields."""
