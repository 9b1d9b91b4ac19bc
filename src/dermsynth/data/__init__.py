"""Data sets on disk: import, audit, splits, phantom, and batches for training."""
