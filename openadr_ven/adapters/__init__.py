"""Where the VEN meets the world: its store, its clock's wake-ups, its fleet files."""
