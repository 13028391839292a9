"""Versions and rollouts in the embedded store: what changes both does so in one transaction."""
