"""Checkpoints: durable files, what they hold, and the card that makes them usable by themselves."""
