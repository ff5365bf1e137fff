# make run          the default experiment, on data that the project makes itself
# make test         the tests; TESTS=tests/core selects some
# make test-faults  the tests that take minutes: a Spark master that never answers, and kill -9 at ROUNDS random moments
# make bench        benchmarks against the libraries that the interpreter PEERS has; DATA=DIR_OR_ZIP is MovieLens 100K
# make lint         ruff and mypy
# Each sets up .venv first.
PYTHON ?= python3
VENV ?= .venv
CONFIG ?= configs/quickstart.yaml
TESTS ?= tests
ROUNDS ?= 3
PEERS ?= $(VENV)/bin/python
DATA ?=

.PHONY: run test test-faults bench lint constraints clean

run: $(VENV)/.run
	$(VENV)/bin/latentlab run $(CONFIG)

test: $(VENV)/.dev
	$(VENV)/bin/python -m pytest $(TESTS)

test-faults: $(VENV)/.dev
	LATENTLAB_ROUNDS=$(ROUNDS) $(VENV)/bin/python -m pytest tests/faults tests/core/models/spark -m long

bench: $(VENV)/.dev
	$(VENV)/bin/python tests/benchmarks/peers.py --python $(PEERS) $(if $(DATA),--data $(DATA))
	$(VENV)/bin/python tests/benchmarks/convergence.py --short $(if $(DATA),--data $(DATA))
	$(VENV)/bin/python tests/benchmarks/overhead.py

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11 to 3.13 is needed, and $(PYTHON) is another: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# The stamps are written last: an install that was interrupted is repeated.
$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/.run

# The newest versions that pyproject.toml allows, for every supported Python; needs uv.
constraints:
	uv pip compile --universal --python-version 3.11 --extra dev --no-header --no-annotate --no-emit-index-url \
		--quiet --upgrade --output-file constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
