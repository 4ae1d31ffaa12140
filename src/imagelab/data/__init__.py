"""Data sets: where images come from, how they are split, decoded, kept and batched."""
