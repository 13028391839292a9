"""What is said of a version before it has traffic: what the log says it would have been worth, and when it is known.

Forecasts decide nothing. They are kept, and held against what a rollout found.
"""
