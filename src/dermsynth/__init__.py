"""dermsynth: from a folder of skin images to a synthetic data set that can be trusted."""

__version__ = "0.1.0"
