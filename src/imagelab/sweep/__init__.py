"""Searches and launchers behind `imagelab train -m`, and what came of the trials."""
