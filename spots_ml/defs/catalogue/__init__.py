"""What the catalogue says of the assets besides what they do: code versions, freshness, where the lineage ends."""
