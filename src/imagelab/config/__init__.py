"""Compose, check and explain configs, without importing torch."""
