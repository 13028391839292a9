"""The decision log: what was decided, on what grounds, and what came of it. Where it is kept is in `stores`."""
