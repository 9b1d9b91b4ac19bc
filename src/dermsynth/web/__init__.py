"""What both web applications share."""
