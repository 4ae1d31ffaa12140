"""Metrics of a split: their names, which way is better, how they are computed."""
