"""Report on a sweep; this package needs the rooms reports and sweep, and is removed with either."""
