"""Find combinations and values that cannot work, one sentence each."""
