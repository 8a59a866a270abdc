# Two commands for a new machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install ready engines browser otelcol rule-engines weaviate grafana-data temporal demo test test-full docs lint generate incident recorded pictures clean

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## Make .venv with the locked versions and this project, editable

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

engines: ## Put Prometheus and Alertmanager into .engines/bin, installing nothing
	@bash tools/engines.sh

ready: # All three at once: each waits for the network most of the time.
	@$(MAKE) --no-print-directory -j3 install engines browser

browser: ## Put Chromium and its driver into .engines/bin, for tests and pictures of the boards (as root: by apt, once)
	@bash tools/browser.sh

otelcol: ## Build the OpenTelemetry Collector of the slow tests into .engines/bin (needs Go; some minutes, once)
	@bash tools/otelcol.sh

rule-engines: ## Build Prometheus 3, vmalert and a newer Alertmanager for the slow tests into .engines/bin (needs Go; some minutes, once)
	@bash tools/rule_engines.sh

weaviate: ## Build a Weaviate server for a slow test into .engines/bin (needs Go; some minutes, once)
	@bash tools/weaviate.sh

grafana-data: ## Install Grafana's own library for a slow test (needs Node; a minute, once)
	@bash tools/grafana_data.sh

temporal: ## Fetch Temporal's test server for a slow test (needs Java and Maven; half a minute, once)
	@bash tools/temporal.sh

demo: install engines ## The whole path: incident, page, triage, containment, postmortem (under three minutes)
	@$(BIN)/truegreen demo

lint: install ## Formatting, lint, types and the import rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p truegreen.core -p truegreen.instrumentation -p truegreen.containment -p truegreen.evaluation -p truegreen.collector -p truegreen.alert_rules -p truegreen.dashboards -p truegreen.demo -p truegreen.runbook

test: ready lint ## The fast half of the tests, end to end included
	$(BIN)/python -m pytest -q -n 4 -m "not full" --ignore tests/end_to_end
	$(BIN)/python -m pytest -q -m "not full and alone" tests/end_to_end
	$(BIN)/python -m pytest -q -n 2 --maxschedchunk 1 -m "not full and not alone" tests/end_to_end

test-full: ready otelcol rule-engines weaviate grafana-data temporal lint ## All tests, the slow half included
	$(BIN)/python -m pytest -q -n 2 --ignore tests/end_to_end
	$(BIN)/python -m pytest -q -m alone tests/end_to_end
	$(BIN)/python -m pytest -q -n 2 --maxschedchunk 1 -m "not alone" tests/end_to_end

docs: install ## Build the site of docs/ into site/ (open site/index.html; search wants a server: python -m http.server -d site)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --site-dir site

generate: install ## Write every committed artefact and page that is made from code
	$(BIN)/python tools/generated.py

incident: install engines ## Run the demo, draw the README's picture of its story and keep its series; then `make recorded pictures`
	$(BIN)/truegreen demo --picture docs/pictures/demo.svg --record dashboards/recorded/incident.json.gz

recorded: install engines ## Ask the kept incident all that the boards ask, for the preview without a Prometheus (after a change of a board)
	$(BIN)/python tools/recorded.py dashboards/recorded/incident.json.gz

pictures: install engines browser ## Draw the README's pictures of boards in a browser, from the kept incident
	$(BIN)/python tools/pictures.py

clean: ## Remove the environment and the engines
	rm -rf $(VENV) .engines
