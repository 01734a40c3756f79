"""Free text of models, held against the evidence."""
