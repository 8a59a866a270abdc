"""A staged rollout: each step holds until there is evidence, and goes back by itself when it is worse."""
