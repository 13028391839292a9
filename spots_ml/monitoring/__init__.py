"""Is it still good: performance, baseline, data, served history, and when to learn again."""
