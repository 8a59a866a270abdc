"""The world of the demo: a shop's support agent, its traffic, and the two services it calls, all on the loopback address."""
