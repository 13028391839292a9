"""Rollouts in Dagster: an asset per model that looks and shows, the sensor that asks for looks, and drills."""
