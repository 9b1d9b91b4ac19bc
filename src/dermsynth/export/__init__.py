"""Release folders: images, tables, data card, provenance marks."""
