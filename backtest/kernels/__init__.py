"""Compiled kernels: indicators, simulation, metrics."""
