"""A version in service, watched day by day: what it promised, what it learned from, and what is so now."""
