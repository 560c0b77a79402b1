# Isthmus: everything a person types. Needs make and Python 3.11 or newer; the rest goes into .venv.

STORE ?= store
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
CHECKED := $(wildcard src tests scripts benchmarks recipes)

.DEFAULT_GOAL := help
.PHONY: help quickstart test coverage lint docs clean distclean

help: ## show this list
	@echo "Isthmus: intermediate-task transfer across languages."
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: $(VENV)/stamps/quickstart ## install, train and measure the embedded model, print the gains, write a report
	$(BIN)/isthmus run quickstart --store $(STORE)

test: $(VENV)/stamps/dev ## install what tests need, run them all
	@sh scripts/install-chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations=10 $(PYTEST_ARGS)

coverage: ## the tests again, with the coverage of src: half as long again
	$(MAKE) test PYTEST_ARGS="--cov --cov-report=term $(PYTEST_ARGS)"

lint: $(VENV)/stamps/dev ## style and types
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/mypy scripts

docs: $(VENV)/stamps/dev ## check that the links, commands and imports in the documentation exist
	$(BIN)/python scripts/task_table.py --check
	$(BIN)/python scripts/field_tables.py --check
	$(BIN)/python scripts/check_docs.py

# A stamp is written when its installation is complete, and out of date when what is installed may have changed.
$(VENV)/stamps/%: pyproject.toml constraints.txt
	@sh scripts/install $*

clean: ## remove caches and build products; stores and .venv stay
	rm -rf build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage .coverage.*
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv
	rm -rf $(VENV)
