"""Images from a trained generator: a function of checkpoint, seed, label and truncation."""
