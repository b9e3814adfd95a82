"""The command `openadr-vtn`, by noun: one module for each."""
