"""Augmentations: one idea per file, named like its choice in `configs/augment/`."""
