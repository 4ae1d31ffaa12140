"""Augmentations: one idea a file, named like its choice in `configs/augment/`."""

import os

# When imported, albumentations asks the network for a newer version: slow, and a warning where there is none.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
