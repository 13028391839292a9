"""What happened: record schema, readers, validation and quarantine, splits, generators."""
