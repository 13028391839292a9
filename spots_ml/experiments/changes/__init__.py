"""How a rollout changes: which change may follow which, and what it does to versions; pure plans, which stores make."""
