"""The few HTTP calls to Prometheus, Alertmanager and Langfuse, and the engines started locally."""
