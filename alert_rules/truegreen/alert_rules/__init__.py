"""Quality SLOs to tested Prometheus rules and Alertmanager routes."""
