"""The range tests behind `find_lr` and `find_batch`, on the run itself."""
