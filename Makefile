# Two commands matter: `make demo` and `make test`. Everything else is in `make help`.
# All paths are relative, so a checkout in a folder with spaces works.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The first of these that is 3.11 or newer; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
# One more than two cores, of which two workers left a sixth idle.
WORKERS ?= 3
# Without compiled bytecode every start compiles some 2,000 modules again: six seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo demo-bot test quick fuzz check format lint types imports bench soak docs lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## Set up Python packages, npm packages and contracts

# With every tool of the developers; what an evaluation needs is there already.
$(VENV)/.ready: $(VENV)/.runs requirements.lock
	@$(INSTALL) -r requirements.lock
	@touch $(VENV)/.ready

# uv where it could be had, else pip.
INSTALL = $$($(BIN)/python -m uv --version >/dev/null 2>&1 && \
	echo "$(BIN)/python -m uv pip install --quiet --python $(BIN)/python" || \
	echo "$(BIN)/python -m pip install --quiet --disable-pip-version-check")

$(VENV)/.runs: requirements-run.lock pyproject.toml contracts/package-lock.json
	@if [ -z "$(PYTHON)" ]; then \
		echo "seatrial needs Python 3.11 or 3.12 and found none on PATH; install one or run make PYTHON=/path/to/python" >&2; exit 69; fi
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@# npm packages come in beside the Python packages; `seatrial setup` waits for them.
	@$(PYTHON) -m evaluator.chain.toolchain >/dev/null 2>&1 &
	@# Putting pip into the environment takes as long as half the packages: uv does without.
	@test -x $(BIN)/python || { $(PYTHON) -m pip --version >/dev/null 2>&1 && $(PYTHON) -m venv --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check uv 2>/dev/null; } || \
		$(PYTHON) -m venv --clear $(VENV) || { \
		echo "python -m venv failed; on Debian and Ubuntu install the package python3-venv" >&2; exit 69; }
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true
	@# Without a Node of this machine's, 20 or newer, the one among all packages is needed.
	@if command -v npm >/dev/null 2>&1 && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then $(INSTALL) -r requirements-run.lock; else $(INSTALL) -r requirements.lock; fi
	@# The longest of all goes on in the background from here: compiling the battery's kernel.
	@$(BIN)/python -m evaluator.stress.kernel.warmup >/dev/null 2>&1 &
	@$(INSTALL) --no-deps -e .
	@$(BIN)/seatrial setup
	@touch $(VENV)/.runs

demo: $(VENV)/.runs ## Evaluate a real proposal on the embedded chain and leave a report in reports/
	@$(BIN)/seatrial demo --out reports

demo-bot: setup ## Run the bot against local Discourse and Discord servers and the embedded chain
	@$(BIN)/seatrial-bot demo

test: setup ## Run the whole suite
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal

quick: setup ## Run the tests that are not marked slow
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not slow"

fuzz: setup ## Run the property tests on examples that nobody has seen yet
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal --hypothesis-profile=new $$(grep -rlE "^ *@given" tests --include=*.py)

check: format lint types imports test ## What CI does: format, lint, types, import contracts, tests

format: setup
	@$(BIN)/ruff format --check .

lint: setup
	@$(BIN)/ruff check .

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports

bench: setup ## Run the benchmarks and print ratios
	@for f in benchmarks/*.py; do echo "== $$f"; $(BIN)/python "$$f"; done

docs: setup ## Build the documentation into site/
	@$(BIN)/python docs/write_commands.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "open site/index.html"

soak: setup ## Let the bot run through proposals, reorganisations, faults and kills
	@$(BIN)/python benchmarks/soak/soak.py

lock: ## Rewrite requirements.lock and requirements-run.lock from pyproject.toml
	@$(BIN)/python -m uv lock --quiet
	@$(BIN)/python -m uv export --quiet --no-emit-project --format requirements-txt --all-extras --all-groups --no-annotate --no-header -o requirements.lock
	@$(BIN)/python -m uv export --quiet --no-emit-project --format requirements-txt --no-dev --no-annotate --no-header -o requirements-run.lock
	@rm -f uv.lock

clean: ## Remove everything that setup and runs left in this folder
	rm -rf $(VENV) contracts/node_modules contracts/build contracts/.cache reports site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
