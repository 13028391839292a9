"""Commands that look ahead: `plan`, `forecast`, `forecasts`."""
