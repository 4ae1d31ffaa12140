"""Losses of our own, one per file; those of torch.nn need only a config."""
