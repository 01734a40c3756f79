"""Roles and steps of the optimisation cycle."""
