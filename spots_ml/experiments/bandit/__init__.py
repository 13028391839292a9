"""A bandit in the place of a rollout: how versions share the hybrid group day by day, and what that says of them."""
