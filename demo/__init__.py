"""The demonstration: the whole job, on real input, in its own processes, judged by an independent meter."""
