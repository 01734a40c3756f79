"""How good the agents have been: stances, outcomes, scores, track record."""
