"""Run folders: claim one, find it again, read and write its plain files."""
