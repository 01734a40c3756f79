"""Builders of the partitions that the ensemble reads."""
