"""What a version is measured by before it answers anybody: its blessing, and what promoting it would change."""
