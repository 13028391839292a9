"""What an app's log lacks before anything can be proven from it."""
