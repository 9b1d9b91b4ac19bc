"""Families of generators: each with its networks, its configuration and its training step."""
