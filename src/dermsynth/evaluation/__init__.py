"""Metrics: pure functions of arrays, and what is put together from them."""
