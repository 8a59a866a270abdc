"""The sampling endpoint: answers, feedback, escalations, downstream records and guardrail reviews of systems that make no spans."""
