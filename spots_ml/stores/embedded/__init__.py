"""The embedded store, the default: one SQLite file for several processes."""
