"""Is it still good: when to learn again."""
