"""How good an evaluator is on answers that people labelled, and the calibration that follows from it."""
