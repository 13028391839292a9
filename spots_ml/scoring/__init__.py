"""What the app says: the hand-written formula and, later, the decision."""
