"""What code decides in the ensemble, and the agents' answers without a model."""
