"""The reader study: design, web pages, analysis. Nothing here needs torch."""
