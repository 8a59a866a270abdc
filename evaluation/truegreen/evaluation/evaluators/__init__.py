"""Evaluators: each module is a factory `make(settings, calibration)` of the entry-point group `truegreen_evaluator`."""
