"""Data out: the record of a run, its result and its report."""
