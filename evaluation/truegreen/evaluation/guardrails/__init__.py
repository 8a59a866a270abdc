"""How often guardrails block what is harmless and pass what is not, from reviews of a sample of their decisions."""
