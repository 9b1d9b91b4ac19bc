"""A local page with sliders on a generator's latents."""
