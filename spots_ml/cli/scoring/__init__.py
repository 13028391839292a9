"""Commands that score, explain, and hand the rules to an app team."""
