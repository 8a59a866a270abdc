"""Drills: each failure mode planted, found, answered and scored, in simulated time or at scale."""
