"""Tasks: what is learnt from the images; one idea a file, named like its choice in `configs/task/`."""
