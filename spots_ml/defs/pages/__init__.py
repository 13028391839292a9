"""What the asset pages show: domain results as the metadata, tables and pictures of the UI."""
