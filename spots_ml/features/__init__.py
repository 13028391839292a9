"""What a model sees: the feature contract, derived features and history features."""
