"""The migrations of `supabase/`: which a project has, and applying those that it lacks."""
