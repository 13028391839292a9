"""Where it is kept: the embedded store, and any later one."""
