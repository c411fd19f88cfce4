# make run | make studio | make label | make race | make tensorboard | make nightly | make test | make test-fast | make test-long | make luigid; see README.md and CONTRIBUTING.md
PYTHON ?= python3
DATASET ?= demo
# Processes that share the tests: two for two cores; each may hold a TensorFlow of some 700 MB
TESTERS ?= 2
ARGS ?=

BIN := .venv/bin
# Of the studio, of luigid, or of TensorBoard
studio label: PORT ?= 8090
luigid: PORT ?= 8082
tensorboard: PORT ?= 6006
# A command-line variable goes before these: make race DATASET=cats QUERY=cats MINUTES=60
race: DATASET = flowers
race: QUERY = flowers
race: MINUTES = 30
QUERY_FLAG = $(if $(QUERY),--query "$(QUERY)")
ONE_FLAG = $(if $(filter file,$(origin DATASET)),,--dataset "$(DATASET)")
PYTEST = $(BIN)/python -m pytest --numprocesses $(TESTERS) --dist worksteal
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-python-downloads --generate-hashes \
	--no-annotate --no-emit-index-url --custom-compile-command "make lock" $(ARGS)

# A Python outside 3.10 to 3.13 is refused before anything is made
ifeq ($(wildcard .venv/bin/python),)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifeq ($(filter $(VERSION),3.10 3.11 3.12 3.13),)
$(error $(PYTHON) is $(if $(VERSION),Python $(VERSION),not here); ganmill needs Python 3.10 to 3.13, as in: make run PYTHON=python3.12)
endif
endif

.PHONY: run plan status studio label race tensorboard onnx parquet cluster storage nightly test test-fast test-long coverage lint type lock \
	luigid gpu gpu-jax

run: .venv/.run
	@$(BIN)/python -m tasks run --dataset "$(DATASET)" $(QUERY_FLAG) $(ARGS)

plan: .venv/.run
	@$(BIN)/python -m tasks plan --dataset "$(DATASET)" $(QUERY_FLAG) $(ARGS)

status: .venv/.run
	@$(BIN)/python -m tasks status $(ONE_FLAG) $(ARGS)

studio: .venv/.run
	@$(BIN)/python -m tasks studio --port $(PORT) $(ONE_FLAG) $(ARGS)

label: .venv/.run
	@$(BIN)/python -m tasks web --port $(PORT) $(ONE_FLAG) $(ARGS)

# An entry for a race: MINUTES of training over all stops, then a tile of 10x10 samples, none of which is chosen
race: .venv/.run
	@$(BIN)/python -m tasks run --dataset "$(DATASET)" $(QUERY_FLAG) --normalize-size 128 --filter-method none \
		--gan-definition dcgan-128 --gan-total-minutes $(MINUTES) $(ARGS)

# The trainings of DATASET, those that run too if gan.tensorboard is true
tensorboard: .venv/.tensorboard
	@$(BIN)/python -m tasks tensorboard --port $(PORT) --dataset "$(DATASET)" $(ARGS)

# What `python -m tasks export onnx` needs
onnx: .venv/.onnx

# What lists of URLs and metadata in Parquet files need
parquet: .venv/.parquet

# What the settings `cluster` and `storage` need (docs/cluster.md)
cluster: .venv/.cluster
storage: .venv/.storage

test: lint type
	$(PYTEST) $(ARGS)

# While editing: the tests that take milliseconds, without TensorFlow
test-fast: .venv/.dev
	$(PYTEST) -m fast $(ARGS)

# What takes minutes: kills by the dozen, hostile servers. One at a time, as times and memory are measured
test-long: .venv/.dev
	$(BIN)/python -m pytest -m long --timeout 3600 -s $(ARGS)

# The tests of `make test`, and how much of the code they have run
coverage: .venv/.dev
	$(PYTEST) --cov --cov-report=term:skip-covered $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# NumPy 2.2, the last for Python 3.10, has types that lack what it does
type: .venv/.dev
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then echo $(BIN)/mypy; $(BIN)/mypy; \
	else echo "types are checked on Python 3.11 and later"; fi

# After an edit of requirements*.txt; `make lock ARGS=--upgrade` takes the newest of what is not pinned there
lock: .venv/.dev
	$(LOCK) --output-file requirements.lock requirements.txt
	$(LOCK) --constraint requirements.lock --output-file requirements-dev.lock requirements-dev.txt
	$(LOCK) --constraint requirements.lock --output-file requirements-gpu.lock requirements-gpu.txt
	$(LOCK) --constraint requirements.lock --output-file requirements-gpu-jax.lock requirements-gpu-jax.txt
	$(LOCK) --constraint requirements.lock --output-file requirements-tensorboard.lock requirements-tensorboard.txt
	$(LOCK) --constraint requirements.lock --output-file requirements-onnx.lock requirements-onnx.txt
	$(LOCK) --constraint requirements.lock --output-file requirements-parquet.lock requirements-parquet.txt
	$(LOCK) --constraint requirements.lock --output-file requirements-cluster.lock requirements-cluster.txt
	$(LOCK) --constraint requirements.lock --output-file requirements-storage.lock requirements-storage.txt

luigid: .venv/.run
	@$(BIN)/python -m tasks luigid --port $(PORT) $(ARGS)

# The subjects of [nightly] in luigi.cfg, each in its turn
nightly: .venv/.run
	@$(BIN)/python -m tasks nightly $(ARGS)

# One of the two: CUDA for TensorFlow, or for JAX
gpu: .venv/.run requirements-gpu.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-gpu.lock

gpu-jax: .venv/.run requirements-gpu-jax.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-gpu-jax.lock

.venv/.tensorboard .venv/.onnx .venv/.parquet .venv/.cluster .venv/.storage: .venv/.%: requirements-%.lock .venv/.run
	$(BIN)/python -m pip install --quiet --require-hashes -r $<
	@touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# Installed in place, so that `ganmill` and `luigi --module tasks` find this folder from any other
.venv/.run: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
