# Everything below needs Python 3.11 or newer with its venv module, and make. The rest is set up in .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# With it, each start of the command would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help demo servers test proofs check lint types simulate bench docs lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "keysteward needs Python 3.11 or newer, and $(PYTHON) is not: name one, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "Setting up .venv from requirements.txt (a minute or two, once) ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## Two clients from declaration to rotation, a kill and a leak, on the sandbox; TARGET=keycloak: on a real Keycloak; VERBOSE=1: all output
	@$(BIN)/python -m keysteward.cli.demo $(if $(TARGET),--target $(TARGET)) $(if $(VERBOSE),--verbose)

servers: $(READY) ## Fetch and build the real servers of the tests, once, into the user's cache; some minutes the first time
	@$(BIN)/python tests/servers

# Workers: one for each processor, and four at most, since each real server has one for itself.
PYTEST := $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadgroup

test: $(READY) ## Run the tests, with a sample of the long proofs; real servers are used where they are; COVERAGE=1: measured
	@$(PYTEST) -m 'not proof' $(if $(COVERAGE),--cov --cov-report=term)

proofs: $(READY) ## Run the rest of the long proofs: kills at every point, 2,000 simulated years, all planted bugs
	@$(PYTEST) -m proof

check: lint types ## Lint, types, tests and proofs as CI runs them
	@CI=true $(MAKE) --no-print-directory test COVERAGE=1
	@CI=true $(MAKE) --no-print-directory proofs

lint: $(READY) ## Check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## Check types
	@$(BIN)/mypy
	@$(BIN)/mypy docs/generate
	@$(BIN)/mypy bench

simulate: $(READY) ## Play simulated years (YEARS=10000) with faults at every call; SEED=n: tell the story of one scenario
	@$(BIN)/python tests/simulation --years $(or $(YEARS),10000) $(if $(SEED),--seed $(SEED))

bench: $(READY) ## Measure; prints a table and writes build/bench.json; FULL=1: the large sizes too
	@FULL=$(FULL) $(BIN)/python bench

docs: $(READY) ## Write the pages of docs/ that are generated from the code
	@$(BIN)/python docs/generate

COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet $(if $(UPGRADE),--upgrade) --generate-hashes \
  --allow-unsafe --strip-extras --no-emit-options

lock: $(READY) ## Compile requirements.txt from pyproject.toml and that of the tests' servers, keeping versions that still fit; UPGRADE=1: the newest
	@mkdir -p build
	@$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); \
	  print(*p["build-system"]["requires"], *p["dependency-groups"]["dev"], sep="\n")' > build/dev.in
	@$(COMPILE) --extra aws --extra sandbox --output-file requirements.txt pyproject.toml build/dev.in
	@$(COMPILE) --output-file tests/servers/requirements.txt tests/servers/requirements.in

clean: ## Remove .venv and everything that was built
	@rm -rf .venv build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
