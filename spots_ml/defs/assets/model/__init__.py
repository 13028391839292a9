"""The assets of one model, from the dataset to a version that may have traffic."""
