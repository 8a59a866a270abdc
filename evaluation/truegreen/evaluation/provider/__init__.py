"""What the provider of a model says and does: its changelog, probes of its answers, and whose change it was."""
