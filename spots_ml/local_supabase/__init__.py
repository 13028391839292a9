"""A whole Supabase project on this machine: Postgres with the migrations, and an API that speaks as Supabase's does.

For tests, benchmarks and a first look without an account; nothing here is meant for production.
"""
