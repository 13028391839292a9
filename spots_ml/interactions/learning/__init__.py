"""Learning from what happened: validated datasets, their fitness, splits, and when an outcome may be counted."""
