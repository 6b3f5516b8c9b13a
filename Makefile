# make demo   set up and run the main job, offline, on the embedded model and data
# make test   set up and run the tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA := examples/data/reviews_en.csv

.PHONY: demo test test-slow check docs bench clean

# torch comes first, pinned to a build without CUDA packages where the index has one; constraints.txt holds the tested versions.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,offline,files]'
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,offline,files,tensorboard,mlflow,wandb,docs,dev]'
	touch $@

$(VENV)/.ready-bench: $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,offline,files,tensorboard,mlflow,wandb,docs,dev,bench]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/superfine train $(DATA) --out runs/demo --force

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest

test-slow: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python examples/check_data.py

docs: $(VENV)/.ready-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: $(VENV)/.ready-bench
	$(BIN)/python -m benchmarks.accuracy

clean:
	rm -rf $(VENV) runs site build dist .pytest_cache .mypy_cache .ruff_cache
