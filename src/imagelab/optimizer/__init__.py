"""Optimizers, parameter groups and the scaling of learning rates."""
