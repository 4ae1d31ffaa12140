"""Behind `imagelab evaluate`: metrics, views, ensembles, calibration."""
