"""The record of a run: event log, tables, versions, and the view folded from them."""
