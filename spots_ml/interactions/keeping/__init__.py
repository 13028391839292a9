"""Keeping what happened: what is needed of a store, and immutable copies named by their digest."""
