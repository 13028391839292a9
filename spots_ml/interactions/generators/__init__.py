"""Interactions made up under a known law, with its exact Bayes prediction: the data that needs no source."""
