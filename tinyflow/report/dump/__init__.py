"""What `--dump` writes: graphs, the choice of kernels and the memory plan, as text and as data."""
