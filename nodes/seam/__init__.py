"""The seam to the models: one function that asks, and the record of what was asked and answered."""
