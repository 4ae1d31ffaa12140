"""Implement `imagelab evaluate`: metrics, views, ensembles, calibration."""
