"""Handle what happens around a training step: the plan of steps, logs, penalties, checkpoints, stops."""
