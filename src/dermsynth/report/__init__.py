"""Self-contained HTML pages from files that the other steps wrote."""
