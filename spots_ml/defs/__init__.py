"""When it runs: the only folder that knows Dagster."""
