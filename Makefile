# demo   install what it needs, run a pipeline over a generated lake, show the result
# test   install, build generated files, run every test
# check  formatter, linter, types, import floors, generated files, docs: reads only
# fix    let the formatter and the linter mend what they can
# bench  measure (BENCH=case for one); results go to bench/results
# campaign  the long, seeded fault campaigns; results go to tests/campaign/results
# docs   regenerate the reference pages, build the documentation site
# proto  regenerate everything that is generated from a definition

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check fix bench campaign docs proto clean

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit("CDP Pipeline needs Python 3.11 or newer, $(PYTHON) is %d.%d: make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { echo "The venv module is missing: install it (Debian: apt-get install python3-venv)"; exit 1; }
	@touch $@

.venv/.run: .venv/.python pyproject.toml sdk/python/pyproject.toml constraints.txt
	@echo "Installing CDP Pipeline into .venv ..."
	@$(BIN)/pip install -q -c constraints.txt -e sdk/python -e .
	@touch $@

.venv/.dev: .venv/.run
	@echo "Installing the development tools into .venv ..."
	@$(BIN)/pip install -q -c constraints.txt -e sdk/python -e '.[dev]'
	@touch $@

demo: .venv/.run
	@$(BIN)/python scripts/demo.py

test: .venv/.dev
	@$(PYTEST) -n 2 --dist loadfile $(ARGS)

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/generate.py --check

fix: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev
	$(BIN)/python -m bench $(BENCH)

campaign: .venv/.dev
	CDP_CAMPAIGN=full $(PYTEST) -m campaign tests/campaign $(ARGS)

docs: proto
	@$(BIN)/python -m sphinx -q -W --keep-going -j auto -c docs -d build/docs/doctrees . build/docs/html
	@echo "The site is in build/docs/html: open build/docs/html/index.html"

proto: .venv/.dev
	$(BIN)/python scripts/generate.py

clean:
	rm -rf .venv build dist demo-out out lake .mypy_cache .ruff_cache .pytest_cache .hypothesis
