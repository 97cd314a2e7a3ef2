# Every target sets itself up: the first one that is called makes .venv and installs tfpare there with what it needs.
# PYTHON chooses the interpreter of a new .venv, JOBS the number of processes that run tests.

PYTHON ?= python3
JOBS ?= 2
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := pip install --quiet --disable-pip-version-check
OLDEST := tensorflow-cpu==2.16.*
MODELS ?= MobileNetV2 ResNet50 InceptionV3 EfficientNetB0

.DEFAULT_GOAL := help
.PHONY: help venv test test-slow test-oldest lint format types docs demo fuzz bench-scaling bench-latency clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP)  ## Make .venv with tfpare (editable), TensorFlow for CPUs and the tools
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "tfpare needs Python 3.10 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one, for example: make PYTHON=python3.11 test"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing tfpare, TensorFlow and the tools into $(VENV) (a few minutes the first time)"
	@$(BIN)/$(PIP) -e '.[cpu,dev]' $(if $(EXTRA),'$(EXTRA)')
	@touch $@

test: $(STAMP)  ## Run the tests
	$(BIN)/pytest -n $(JOBS)

test-slow: $(STAMP)  ## Run the tests that need big models or a long time
	$(BIN)/pytest -m slow

test-oldest:  ## Run the tests with the oldest supported TensorFlow, in a .venv of its own
	@$(MAKE) VENV=.venv-oldest EXTRA='$(OLDEST)' venv
	.venv-oldest/bin/pytest -n $(JOBS)

lint: $(STAMP)  ## Check style and formatting (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)  ## Format all files and fix what ruff can fix
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

types: $(STAMP)  ## Check types (pyright, strict)
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(STAMP)  ## Build the documentation into site/ (warnings are errors)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

demo: $(STAMP)  ## Optimize the trained model that comes with tfpare, and compare
	$(BIN)/tfpare demo

fuzz: $(STAMP)  ## Optimize 10,000 random graphs and compare their answers
	$(BIN)/python benchmarks/fuzz.py --jobs $(JOBS)

bench-scaling: $(STAMP)  ## Time tfpare itself on graphs of 10,000 and 100,000 nodes
	$(BIN)/python benchmarks/scaling.py

bench-latency: $(STAMP)  ## Make Keras models in build/, optimize them, compare their speed (MODELS="ResNet50 ...")
	$(BIN)/python benchmarks/make_keras_models.py build/keras $(MODELS)
	@set -e; for name in $(MODELS); do \
	  echo "== $$name"; \
	  $(BIN)/tfpare optimize build/keras/$$name -o build/optimized/$$name --overwrite; \
	  $(BIN)/python benchmarks/latency.py build/keras/$$name build/optimized/$$name --inputs build/keras/$$name.inputs.npz; \
	done

clean:  ## Remove the environments and everything that was built
	rm -rf $(VENV) .venv-oldest build dist site .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
