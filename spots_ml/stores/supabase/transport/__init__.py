"""Every call to Supabase: sent, repeated where that is safe, read page by page, refused in words."""
