"""Where messages go: batches in order through stages, positions, policies, checkpoints."""
