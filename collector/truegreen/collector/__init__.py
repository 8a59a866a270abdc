"""OTLP receiver that derives behavioural metrics and serves them to Prometheus."""
