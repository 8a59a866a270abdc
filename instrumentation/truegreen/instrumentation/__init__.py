"""OpenTelemetry plugin: quality, retrieval, agent and version attributes on LLM spans."""
