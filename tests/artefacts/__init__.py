"""Artefacts: detected, removed, drawn."""
