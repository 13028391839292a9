"""Learning on from a network that was trained before, instead of from the beginning."""
