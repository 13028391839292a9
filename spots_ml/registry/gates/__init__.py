"""What a version is measured against before it answers anybody: at registration, and before it gets traffic."""
