"""A support agent, contract servers and an incident, end to end."""
