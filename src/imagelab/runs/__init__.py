"""The folder of a run: claimed, found again, its plain files."""
