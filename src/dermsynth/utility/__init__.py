"""Whether synthetic images help a classifier."""
