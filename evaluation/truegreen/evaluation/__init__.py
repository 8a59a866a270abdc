"""Judging sampled answers, frozen baselines and replay of recorded answers."""
