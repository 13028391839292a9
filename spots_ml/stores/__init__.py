"""Where it is kept: the embedded store, or a Supabase project."""
