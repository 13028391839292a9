"""What Dagster's run history says: which runs there are, what became of them and why, and where it is kept."""
