"""Adversarial terms and penalties: functions of logits, images and latents."""
