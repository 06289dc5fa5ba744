"""Which kernel each operator gets, by cost and memory, within limits."""
