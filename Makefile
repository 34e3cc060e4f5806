SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
DATA ?=
BENCHMARK ?=
HOURS ?= 1

.PHONY: help demo test test-slow test-device soak check format train tune convert evaluate clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: $(VENV)/.demo ## run the daemon on a built-in scene; leaves a video and a timeline under build/demo/
	$(PY) -m edge.demo

test: $(VENV)/.dev ## run the fast tests
	$(PY) -m pytest

test-slow: $(VENV)/.dev $(VENV)/.train ## train and convert small models for real, and test what comes out
	$(PY) -m pytest -m slow

test-device: $(VENV)/.dev ## test the daemon on a virtual arm64 device with GPIO and camera (Debian's qemu-system-arm, cpio, kmod)
	$(PY) -m pytest -m device tests/device

soak: $(VENV)/.dev ## HOURS=1: run the daemon on a looped scene while everything goes wrong at random; did it ever lie?
	$(PY) -m tests.soak --hours $(HOURS)

check: $(VENV)/.dev ## formatting, lint, types and the layers of the imports
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev ## put the code into the project's format
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

train: $(VENV)/.train ## DATA=DIR or DATA=kaggle: photos -> two Keras models and a report in build/train/
	$(PY) -m train both $(if $(DATA),--data $(DATA))

tune: $(VENV)/.train ## DATA=DIR: search settings for the classifier; goes on where it was interrupted
	$(PY) -m train tune $(if $(DATA),--data $(DATA))

convert: $(VENV)/.train ## Keras models -> INT8 -> accuracy gate -> bundle in build/bundle/; BENCHMARK=DIR: measured too
	$(PY) -m convert $(if $(BENCHMARK),--benchmark $(BENCHMARK))

evaluate: $(VENV)/.train ## what the newest bundle is worth on the test part, in slices, on hard cases; BENCHMARK=DIR too
	$(PY) -m train evaluate $(if $(DATA),--data $(DATA)) $(if $(BENCHMARK),--benchmark $(BENCHMARK))

clean: ## remove what was built, but not the environment
	rm -rf build

# one environment; each stamp adds an extra to it
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
