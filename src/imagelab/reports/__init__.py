"""Implement `imagelab report`: curves, verdicts, advice, and the pages that show them."""
