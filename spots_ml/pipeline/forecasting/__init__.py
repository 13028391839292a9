"""Forecasts of versions, from the store: what the log says one would have been worth, what a rollout could find."""
