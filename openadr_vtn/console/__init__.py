"""The operator's pages: parties, events, one event live, Stop. They read; the only thing they change is by Stop."""
