"""Detectors of drift: pure functions from a window of answers and a frozen baseline to a verdict."""
