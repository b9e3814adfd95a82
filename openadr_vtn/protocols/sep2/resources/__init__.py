"""What is behind each address, by function set."""
