"""Building blocks of the generators and discriminators, and feature extractors."""
