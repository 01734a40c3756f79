"""What a node does: one file a role or step, named like its node and its prompt."""
