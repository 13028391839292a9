"""The chain: from a source of interactions to a registered version, and what is done every day, without Dagster."""
