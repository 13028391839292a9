"""What is kept about retrainings in a Supabase project: what was refused, what was asked for."""
