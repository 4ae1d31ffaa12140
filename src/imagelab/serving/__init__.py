"""Serve a trained network on a local page."""
