"""A project's Postgres itself: bulk reads, and whether it is the project that the API tells of."""
