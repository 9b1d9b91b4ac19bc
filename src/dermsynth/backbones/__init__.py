"""Pretrained networks that measure images."""
