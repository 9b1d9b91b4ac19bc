"""Segmentation of lesion, skin and the dermoscope's frame by colour, for real and synthetic images alike."""
