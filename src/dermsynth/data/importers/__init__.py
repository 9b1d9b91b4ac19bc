"""Import of published layouts and of one's own folders and tables."""
