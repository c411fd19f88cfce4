# make run | make label | make test | make test-long | make luigid; see README.md
PYTHON ?= python3
DATASET ?= demo
# Processes that share the tests: two for two cores; each may hold a TensorFlow of some 700 MB
TESTERS ?= 2
ARGS ?=

BIN := .venv/bin
# Of the label page, or of luigid
label: PORT ?= 8090
luigid: PORT ?= 8082
QUERY_FLAG = $(if $(QUERY),--query "$(QUERY)")
ONE_FLAG = $(if $(filter file,$(origin DATASET)),,--dataset "$(DATASET)")

# A Python outside 3.10 to 3.13 is refused before anything is made
ifeq ($(wildcard .venv/bin/python),)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifeq ($(filter $(VERSION),3.10 3.11 3.12 3.13),)
$(error $(PYTHON) is $(if $(VERSION),Python $(VERSION),not here); ganmill needs Python 3.10 to 3.13, as in: make run PYTHON=python3.12)
endif
endif

.PHONY: run plan status label test test-long luigid gpu

run: .venv/.run
	@$(BIN)/python -m tasks run --dataset "$(DATASET)" $(QUERY_FLAG) $(ARGS)

plan: .venv/.run
	@$(BIN)/python -m tasks plan --dataset "$(DATASET)" $(QUERY_FLAG) $(ARGS)

status: .venv/.run
	@$(BIN)/python -m tasks status $(ONE_FLAG) $(ARGS)

label: .venv/.run
	@$(BIN)/python -m tasks web --port $(PORT) $(ONE_FLAG) $(ARGS)

test: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist worksteal $(ARGS)

# What takes minutes: kills by the dozen, hostile servers. One at a time, as times and memory are measured
test-long: .venv/.dev
	$(BIN)/python -m pytest -m long --timeout 3600 -s $(ARGS)

luigid: .venv/.run
	@mkdir -p data/luigid
	@echo "luigid: http://127.0.0.1:$(PORT)  (ctrl-C ends it; its log is data/luigid/luigi-server.log)"
	@$(BIN)/luigid --address 127.0.0.1 --port $(PORT) --state-path data/luigid/state.pickle --logdir data/luigid

gpu: .venv/.run requirements-gpu.txt
	$(BIN)/python -m pip install --quiet -r requirements-gpu.txt

.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.run: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@# so that `luigi --module tasks` finds this folder
	@$(BIN)/python -c 'import os, sysconfig; open(sysconfig.get_path("purelib") + "/ganmill.pth", "w").write(os.getcwd())'
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@
