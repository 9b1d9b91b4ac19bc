"""Latent spaces of generators: directions that mean something, edits along them, and what else these change."""
