"""Choice of a kernel for each operator, by cost and memory, within limits."""
