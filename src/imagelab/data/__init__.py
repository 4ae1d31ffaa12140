"""Data sets: where images come from, and how they are split, decoded, stored and batched."""
