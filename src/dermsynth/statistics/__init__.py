"""Intervals, ROC curves, cross-validation, agreement of raters, mixed models."""
