# Everything runs in .venv with the versions of constraints.txt.
PYTHON ?= python3
PY := .venv/bin/python
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt
RUN := TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=default $(PY)

.PHONY: help demo pareto saved-models serve test test-slow docs bench bench-guard lint format clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --upgrade pip

.venv/.demo: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e ".[demo]"
	@touch $@

.venv/.pareto: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e ".[demo,pages]"
	@touch $@ .venv/.demo

.venv/.serve: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e ".[demo,serve]"
	@touch $@ .venv/.demo

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e ".[dev]"
	@touch $@ .venv/.demo .venv/.pareto .venv/.serve

demo: .venv/.demo  ## train with and without the penalty, print what it saves
	.venv/bin/keras-ssp demo

pareto: .venv/.pareto  ## search the digits' frontier of accuracy and energy
	$(PY) -m tuning search digits --trials 24 --out runs/pareto

serve: .venv/.serve  ## serve the models in saved_models at http://127.0.0.1:8501
	.venv/bin/keras-ssp serve saved_models

SAVED := .venv/bin/keras-ssp
DIGITS := --data digits --batch-size 32 --learning-rate 0.004 --verbose 0 --overwrite
saved-models: .venv/.demo  ## train three networks on the digits, export them as a frontier
	$(SAVED) train $(DIGITS) --weight 30 --run-dir runs/saved_models/eco
	$(SAVED) train $(DIGITS) --weight 3 --run-dir runs/saved_models/knee
	$(SAVED) train $(DIGITS) --weight 0.1 --run-dir runs/saved_models/accurate
	rm -rf saved_models/digits
	$(SAVED) export runs/saved_models/eco runs/saved_models/knee runs/saved_models/accurate \
		--to saved_models/digits --pick eco=eco --pick knee=knee --pick accurate=accurate

# JAX compiles every test's network: what is no time loop, with fewer optimisations, and
# what another test has compiled is not compiled again.
LOOPS := tests/kernels tests/layers tests/surrogates
JAX := KERAS_BACKEND=jax JAX_COMPILATION_CACHE_DIR=$(CURDIR)/build/jax \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
# Of tests with many parameter sets, so many, on TensorFlow and on the others, but for
# the loops on TensorFlow: `make test-slow` runs all.
FEW := --few 3
FEWER := --few 2
test: .venv/.dev  ## the whole test suite, on all three backends
	TF_CPP_MIN_LOG_LEVEL=3 $(PY) -m pytest -n 2 -q $(LOOPS)
	TF_CPP_MIN_LOG_LEVEL=3 $(PY) -m pytest -n 2 -q $(FEW) $(LOOPS:%=--ignore=%)
	$(JAX) $(PY) -m pytest -n 2 -q -m every_backend $(FEWER) $(LOOPS)
	$(JAX) JAX_DISABLE_MOST_OPTIMIZATIONS=1 $(PY) -m pytest -n 2 -q \
		-m every_backend $(FEWER) tests $(LOOPS:%=--ignore=%)
	KERAS_BACKEND=torch $(PY) -m pytest -n 2 -q -m every_backend $(FEWER) tests

test-slow: .venv/.dev  ## exhaustive runs: all parameters, threads, random networks, killed processes
	$(MAKE) test FEW= FEWER=
	KERAS_SSP_ROUNDS=200 TF_CPP_MIN_LOG_LEVEL=3 $(PY) -m pytest -q tests/test_threads.py
	KERAS_SSP_GRAPHS=500 TF_CPP_MIN_LOG_LEVEL=3 $(PY) -m pytest -n 2 -q tests/synapses/test_random_networks.py
	KERAS_SSP_GRAPHS=500 KERAS_BACKEND=jax $(PY) -m pytest -n 2 -q tests/synapses/test_random_networks.py
	KERAS_SSP_GRAPHS=500 KERAS_BACKEND=torch $(PY) -m pytest -n 2 -q tests/synapses/test_random_networks.py
	TF_CPP_MIN_LOG_LEVEL=3 $(PY) -m pytest -q --slow -m slow
	KERAS_BACKEND=jax $(PY) -m pytest -q --slow -m "slow and every_backend" tests
	KERAS_BACKEND=torch $(PY) -m pytest -q --slow -m "slow and every_backend" tests

docs: .venv/.dev  ## build the documentation site into build/site; warnings are errors
	$(PY) docs/make_api.py
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "open build/site/index.html"

# The Python of an environment with the other packages: see benchmarks/README.md.
PEERS ?=
bench: .venv/.dev  ## measure speed and memory, beside other packages if PEERS is given
	$(PY) -m benchmarks $(if $(PEERS),--peers $(PEERS))

bench-guard: .venv/.dev  ## compare speed with benchmarks/baseline.json
	$(PY) -m benchmarks.guard

lint: .venv/.dev  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: .venv/.dev  ## let ruff rewrite what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:  ## remove the environment and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
