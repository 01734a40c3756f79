"""Agents and steps of the ensemble."""
