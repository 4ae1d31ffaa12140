"""Augmentations: one idea a file, named like its choice in `configs/augment/`."""
