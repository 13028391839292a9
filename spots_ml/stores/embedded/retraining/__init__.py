"""What is kept about retrainings in SQLite: what was refused, what was asked for."""
