"""Metrics of images and of features: arrays in, figures out."""
