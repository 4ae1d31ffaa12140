"""The report on a sweep: a page that needs both rooms, so that it goes with either."""
