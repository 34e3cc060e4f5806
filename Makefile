SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
DATA ?=
BENCHMARK ?=
HOURS ?= 1

.PHONY: help demo test test-slow test-device test-long soak simulate canary check format train tune convert evaluate
.PHONY: bench bench-peers bench-instructions deb image flash deploy key sign review-key pull
.PHONY: retrain bench-serve clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: $(VENV)/.demo ## run the daemon on a built-in scene; leaves a video and a timeline under build/demo/
	$(PY) -m edge.demo

test: $(VENV)/.dev ## run the fast tests
	$(PY) -m pytest

test-slow: $(VENV)/.dev $(VENV)/.train ## train and convert small models for real, and test what comes out; then what measures time
	$(PY) -m pytest -m 'slow and not alone' -n 2 --dist loadfile
	$(PY) -m pytest -m 'slow and alone'

test-device: $(VENV)/.dev ## daemon, package, card image and updates on virtual arm64 devices; as root, with what .ci/run installs
	$(PY) -m pytest -m device -n 3 --dist loadfile tests/device

test-long: $(VENV)/.dev ## first boot of flashed stock cards, upgrades of virtual devices, a rollout to its end: half an hour; as root
	$(PY) -m pytest -m long

simulate: $(VENV)/.dev ## DOORS=200: virtual doors on a mosquitto of their own: rate, delay, what one broker bears
	$(PY) -m edge.fleet.simulate --ramp $(if $(DOORS),--doors $(DOORS))

canary: $(VENV)/.dev ## a bundle that harms 10 % of 200 virtual doors is rolled out, and has to be stopped
	$(PY) -m edge.fleet.simulate --canary

soak: $(VENV)/.dev ## HOURS=1: run the daemon on a looped scene while everything goes wrong at random; did it ever lie?
	$(PY) -m tests.soak --hours $(HOURS)

bench: $(VENV)/.dev ## how fast the daemon is here: tables, JSON and plots in build/bench/; BUSY=1: processor time
	$(PY) -m edge.bench --hours $(HOURS) $(if $(BUSY),--busy)

bench-peers: $(VENV)/.dev $(VENV)/.train ## beside Keras predict and others, pair by pair; AIZOO=FILE YUNET=FILE too
	$(PY) -m train.evaluation.side_by_side $(if $(AIZOO),--aizoo '$(AIZOO)') $(if $(YUNET),--yunet '$(YUNET)')

bench-serve: $(VENV)/.dev ## what the page, metrics, MQTT, drift and review cost the door, and whether an attack reaches it
	$(PY) -m tests.load

bench-instructions: $(VENV)/.dev ## instructions of one frame under valgrind, against the number kept; KEEP="why": keep it
	$(PY) -m edge.bench.instructions $(if $(KEEP),--keep '$(KEEP)')

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

convert: $(VENV)/.train ## Keras models -> INT8 -> accuracy gate -> bundle in build/bundle/; BENCHMARK=DIR: measured too; TRAIN=DIR
	$(PY) -m convert $(if $(TRAIN),--train $(TRAIN)) $(if $(BENCHMARK),--benchmark $(BENCHMARK))

evaluate: $(VENV)/.train ## what the newest bundle is worth on the test part, in slices, on hard cases; BENCHMARK=DIR too
	$(PY) -m train evaluate $(if $(DATA),--data $(DATA)) $(if $(BENCHMARK),--benchmark $(BENCHMARK))

deb: $(VENV)/.dev ## the daemon as a Debian package for arm64, build/deb/maskgate_VERSION_arm64.deb (debhelper, dpkg-dev)
	PYTHON=$(CURDIR)/$(PY) edge/device/build_deb.sh

image: $(VENV)/.dev ## CARD=card.toml: a card image from Debian packages alone, for USB cameras; needs root, see its header
	PYTHON=$(CURDIR)/$(PY) edge/device/build_image.sh $(CARD)

flash: $(VENV)/.dev ## IMAGE=raspios.img.xz DEVICE=/dev/sdX: write a card with maskgate on it; CARD=card.toml SHA256=... YES=1
	@$(PY) -m edge.device.flash '$(IMAGE)' '$(DEVICE)' $(if $(CARD),--card '$(CARD)') $(if $(SHA256),--sha256 $(SHA256)) $(if $(YES),--yes)

deploy: $(VENV)/.dev ## HOST=pi@door1: install or upgrade over SSH, after `make deb`; PORT=22 CARD=card.toml
	@PYTHON=$(CURDIR)/$(PY) PORT='$(PORT)' CARD='$(CARD)' edge/device/deploy.sh '$(HOST)'

key: $(VENV)/.dev ## the pair of keys that signs what devices install over the air; KEY=FILE
	@$(PY) -m convert.sign key $(if $(KEY),--key '$(KEY)')

sign: $(VENV)/.dev ## BUNDLE=build/bundle/maskgate-5, or BUNDLE=door.toml VERSION=3: signed, NAME-VERSION.tar comes out
	@$(PY) -m convert.sign sign '$(BUNDLE)' $(if $(VERSION),--version $(VERSION)) $(if $(NAME),--name $(NAME)) $(if $(KEY),--key '$(KEY)')

review-key: $(VENV)/.train ## the pair of keys for faces that devices keep for review; KEY=FILE
	@$(PY) -m train.review.key $(if $(KEY),--key '$(KEY)')

pull: $(VENV)/.train ## HOST=pi@door1: bring the faces that it kept here, to build/review/; PORT=22 KEY=FILE
	@$(PY) -m train.review.pull $(if $(PORT),--port '$(PORT)') $(if $(KEY),--key '$(KEY)') -- '$(HOST)'

retrain: $(VENV)/.train ## the shipped classifier learns from build/review/ too, if it gets no worse; DATA=DIR; then make convert TRAIN=build/retrain
	$(PY) -m train retrain $(if $(DATA),--data $(DATA))

clean: ## remove what was built, but neither the environment nor the faces that people labelled
	find build -mindepth 1 -maxdepth 1 ! -name review -exec rm -rf {} +

# one environment; each stamp adds an extra to it
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
