"""Checkpoints: durable files, their content, and the card that makes each usable on its own."""
