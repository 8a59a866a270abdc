"""Frozen baselines: taken from healthy traffic, kept as files, compared."""
