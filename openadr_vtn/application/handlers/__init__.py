"""One module for each noun; one function for each command. A command twice has the effect of one."""
