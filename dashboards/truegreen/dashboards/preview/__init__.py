"""`truegreen dashboard preview`: the boards in a browser, without Grafana."""
