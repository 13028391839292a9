"""Supabase Storage: one bucket, and the files of models in it."""
