"""GAN families: each with its networks, its configuration and its training step."""
