"""Hold the searches and launchers of `imagelab train -m`, and record the outcome of trials."""
