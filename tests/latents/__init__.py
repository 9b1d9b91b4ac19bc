"""Latent spaces: directions and edits."""
