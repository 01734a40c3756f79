"""Operation of the ensemble: lock, published hours, log of runs, metrics."""
