"""Versions and rollouts on Supabase: what changes both does so in one call."""
