"""Which version rules: lifecycle, history, gates."""
