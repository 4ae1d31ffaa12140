"""Behind `find_lr` and `find_batch`: range tests on the run itself."""
