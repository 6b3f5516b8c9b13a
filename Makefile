# make demo   set up and run the main job, offline, on the embedded model and data; make demo-zh the same in Chinese
# make test   set up and run the tests
# make test-oldest, test-newest   a subset with the oldest versions that are allowed, and with the newest Python that is here
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile  # a file to each core
DATA := examples/data/reviews_en.csv
DATA_ZH := examples/data/reviews_zh.csv

OTHER := tests/test_parity.py tests/recipes/test_wiring.py tests/recipes/test_predict.py tests/baselines tests/evaluation tests/data/test_encode.py tests/data/test_clean.py
NEWEST ?= $(shell for p in python3.15 python3.14 python3.13 python3.12 $(HOME)/.pyenv/versions/3.1[2-9]*/bin/python; do $$p -c '' 2>/dev/null && echo $$p; done | head -1)

.PHONY: demo demo-zh test test-slow test-oldest test-newest check docs bench clean

# torch comes first, pinned to a build without CUDA packages where the index has one; constraints.txt holds the tested versions.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,offline,multilingual,files]'
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,offline,multilingual,sentencepiece,h5,lora,export,tflite,serve,files,tensorboard,mlflow,wandb,plots,docs,dev]'
	touch $@

$(VENV)/.ready-bench: $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,offline,multilingual,sentencepiece,h5,lora,export,tflite,serve,files,tensorboard,mlflow,wandb,plots,docs,dev,bench]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/superfine train $(DATA) --out runs/demo --force

demo-zh: $(VENV)/.ready
	$(BIN)/superfine train $(DATA_ZH) --out runs/demo-zh --force --lang zh

test: $(VENV)/.ready-dev
	$(PYTEST)

test-slow: $(VENV)/.ready-dev
	$(PYTEST) -m slow

.venv-oldest/.ready: pyproject.toml tests/oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --constraint tests/oldest.txt torch
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --constraint tests/oldest.txt --editable '.[train,offline,multilingual,files]' pytest hypothesis
	touch $@

test-oldest: .venv-oldest/.ready
	.venv-oldest/bin/python -m pytest -m 'slow or not slow' $(OTHER)

.venv-newest/.ready: pyproject.toml constraints.txt
	$(NEWEST) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,offline,multilingual,files]' pytest hypothesis
	touch $@

ifeq ($(NEWEST),)
test-newest:
	@echo 'There is no newer Python here: not run.'
else
test-newest: .venv-newest/.ready
	.venv-newest/bin/python --version
	.venv-newest/bin/python -m pytest -m 'slow or not slow' $(OTHER)
endif

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
	rm -rf $(VENV) .venv-oldest .venv-newest runs site build dist .pytest_cache .mypy_cache .ruff_cache
