"""Adversarial losses, penalties and losses of paired images."""
