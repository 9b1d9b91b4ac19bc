"""Programs that serve the repository, not its users."""
