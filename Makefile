# `make demo` and `make test` need Python >= 3.11, make and a package index; they set up the rest in .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench crash soak backends lock clean

# The folder of what was installed is named by what it was installed from, so a second run has nothing to do.
SETUP := $(shell { pwd; cat requirements.lock pyproject.toml bus/start.py; } | cksum | tr ' ' '-')
READY := .venv/.ready-$(SETUP)
BIN := .venv/bin
ARGS :=

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1:/p' Makefile | awk -F: '{ printf "%-14s%s\n", $$1, " " $$2 }'

setup: $(READY) ## Install everything into .venv

demo: $(READY) ## Run the demo country (ARGS="--transactions 50 --exit")
	@$(BIN)/govbus demo $(ARGS)

test: $(READY) ## Run all tests, of the long ones a sample (ARGS=--whole, ARGS="-n 0 tests/unit -k retry")
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY) ## Check style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY) ## Correct style and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## Measure the bus and other clients on one Kafka
	@$(BIN)/python -m tests.benchmarks $(ARGS)

crash: $(READY) ## Run the subscriber under every fault, 20 times each (ARGS="--seeds 3"), `govbus check --crash`, and tests with more kills
	@$(BIN)/python -m tests.crash --seeds 20 $(ARGS)
	@$(BIN)/govbus check --crash
	@$(BIN)/python -m pytest -n 0 -m crash --whole

soak: $(READY) ## Run it under faults while events flow, a cluster for 5 min and one broker for 30
	@$(BIN)/govbus check --soak 5 --nodes 3 $(ARGS)
	@$(BIN)/govbus check --soak 30 $(ARGS)

backends: $(READY) ## Run the tests against other people's programs: Prometheus, SDKs of CloudEvents, kcat, Celery
	@$(BIN)/python -m pytest -m backends $(ARGS)

lock: $(READY) ## Renew requirements.lock and the lock of Kafka's jars (ARGS=--upgrade)
	@$(BIN)/python -c 'import uv' 2>/dev/null || $(BIN)/pip install --quiet uv
	@$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --all-extras --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(ARGS) pyproject.toml -o requirements.lock
	@$(BIN)/python -m bus.embedded.fetch

clean: ## Remove .venv and everything else made here, except Kafka's jars in your cache
	@rm -rf .venv build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml bus/start.py
	@set -e; found=; \
	for candidate in $${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			found=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "error: no Python >= 3.11 - tried $${PYTHON:-python3.13, python3.12, python3.11, python3, python}" \
			"- install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "error: $$found cannot make an environment - its modules venv and ensurepip are missing" \
			"- install them (Debian: apt-get install python3-venv), or name another Python: make PYTHON=..." >&2; exit 1; \
	fi; \
	rm -f .venv/.ready-*; \
	quiet=--quiet; base='import sys; print(sys.base_prefix)'; \
	if [ -x $(BIN)/govbus ]; then echo "updating .venv" >&2; else \
		quiet=; echo "setting up .venv with $$("$$found" --version): about 160 MB of packages" >&2; \
	fi; \
	if [ "$$($(BIN)/python -c "$$base" 2>/dev/null)" != "$$("$$found" -c "$$base")" ]; then \
		quiet=; "$$found" -m venv --clear .venv; \
	fi; \
	if ! $(BIN)/python -m pip install $$quiet --disable-pip-version-check --progress-bar on \
			--require-hashes --only-binary :all: -r requirements.lock; then \
		echo "error: could not install requirements.lock - the line of pip above names the package it could not fetch" \
			"- connect this machine to a package index once (PIP_INDEX_URL names a mirror) and try again" >&2; exit 1; \
	fi; \
	$(BIN)/python -m pip install --disable-pip-version-check --quiet \
		--no-index --no-deps --no-build-isolation --editable .; \
	[ -n "$$quiet" ] || echo ".venv is ready; to use it: . .venv/bin/activate" >&2; \
	touch $@
