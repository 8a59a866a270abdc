"""Evaluation sets: questions with checks, run against an endpoint or recorded answers; their results pin a model's version."""
