"""Stage 2: what happens to pairs between their collection and their use in training."""
