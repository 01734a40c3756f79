# ThreadX. `make` alone shows what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-bench
SITE := .venv-docs
AUDIT := .venv-audit
INSTALLED := $(VENV)/.installed
TESTABLE := $(VENV)/.installed-test
UV := $(shell command -v uv 2>/dev/null)
# Tests wait for browsers and servers: one process more than there are cores.
WORKERS = $(shell $(BIN)/python -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')
# Tests write a hundred thousand small files and wait for each: in memory, where there is room for all of them.
ROOMY = $(shell $(BIN)/python -c 'import os, shutil, tempfile; at = "/dev/shm"; \
  print(at if os.access(at, os.W_OK) and shutil.disk_usage(at).free > 8 << 30 else tempfile.gettempdir())')

# A checkout keeps its own data beside it; `threadx` by itself uses one folder a user.
export THREADX_HOME ?= $(CURDIR)/data
export LANGGRAPH_CLI_NO_ANALYTICS := 1
export LANGGRAPH_NO_VERSION_CHECK := true
# Where nothing compiled may be kept, every process compiles 2,700 files anew: ten times the start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install notebook optimize summary llm-summary-run dev ui screenshots doctor test soak lint format types docs licences sbom audit lock bench ablation clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# pip is silent for minutes, or tells of every library: one line for 25 of them.
COUNTED := awk '/^Collecting / && ++found % 25 == 0 { print "  " found " libraries found" } \
  /^Installing collected/ { print "  " found " libraries found; writing them to the disk, the longest part" } { fflush() }'

# Everything comes from the lock, hashes checked, dependencies as listed there and no others. The stamp makes
# a second run start at once; a new lock installs again.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("ThreadX needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
ifdef UV
	@echo "ThreadX, first start, step 1 of 4: the environment in $(VENV)"
	$(UV) venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV)
	@echo "step 2 of 4: libraries from requirements.lock, hashes checked (1.7 GB on disk, a minute or several)"
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	@echo "step 3 of 4: ThreadX itself"
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	@echo "ThreadX, first start, step 1 of 4: the environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	@echo "step 2 of 4: libraries from requirements.lock, hashes checked (1.7 GB on disk, some minutes; with uv far fewer)"
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements.lock | $(COUNTED)
	@echo "step 3 of 4: ThreadX itself"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	@echo "step 4 of 4: the engine, compiled once for all (a minute at most)"
	@folder=$$(mktemp -d) && LANGSMITH_TRACING=false $(BIN)/threadx optimize sample:sp500 --max-iterations 1 --no-debate \
	  --analyst rules --strategist rules --validator rules --home "$$folder" >/dev/null && rm -r "$$folder"
	@touch $(INSTALLED)

# What tests, style and types need comes on top of that, and only where it is asked for.
$(TESTABLE): $(INSTALLED) requirements-test.lock
	@echo "what tests need, from requirements-test.lock, hashes checked (350 MB more on disk)"
ifdef UV
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --require-hashes -r requirements-test.lock
else
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements-test.lock | $(COUNTED)
endif
	@touch $(TESTABLE)

install: $(INSTALLED) ## Make .venv and install what running needs, from requirements.lock

optimize: $(INSTALLED) ## Run the optimisation cycle on real sample data
	$(BIN)/threadx optimize sample:sp500

summary: $(INSTALLED) ## Run the ensemble on sample data and publish its summary
	$(BIN)/threadx ensemble run --data sample

llm-summary-run: summary

notebook: $(TESTABLE) ## Execute the notebook: notebooks/multi_llm_optimizer.ipynb
	$(BIN)/jupytext --to ipynb notebooks/multi_llm_optimizer.py
	$(BIN)/jupyter-execute --inplace notebooks/multi_llm_optimizer.ipynb

dev: $(INSTALLED) ## Serve both graphs and the pages with langgraph dev (Studio)
	$(BIN)/langgraph dev --no-reload --n-jobs-per-worker 4

ui: $(INSTALLED) ## Serve the pages alone
	$(BIN)/threadx ui

screenshots: $(TESTABLE) ## Make the pictures of README and docs/pages.md anew (needs Chromium)
	mkdir -p docs/images
	for language in fr en; do \
	  SCREENSHOTS=docs/images LANGUAGE_OF_PAGES=$$language $(BIN)/python -m pytest -q tests/threadx/web/test_actions.py tests/threadx/web/test_bench.py; \
	done
	$(BIN)/python -m docs.build_fold docs/images

doctor: $(INSTALLED) ## Show which models answer, and what to install or pull
	$(BIN)/threadx doctor

test: $(TESTABLE) ## Run every test
	TMPDIR=$(ROOMY) $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(TESTABLE) ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(TESTABLE) ## Mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(TESTABLE) ## Check types, as here and as on Windows
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows

docs: $(INSTALLED) $(SITE)/.installed ## Write the tables of docs/language.md from the code, and the site: build/site
	$(BIN)/python docs/build_language.py
	$(SITE)/bin/mkdocs build --strict --quiet

# What builds the site lives apart: nothing that runs needs it.
$(SITE)/.installed: Makefile
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check mkdocs-material==9.8.2 mkdocstrings==1.0.8 mkdocstrings-python==2.0.11
	@touch $@

licences: $(TESTABLE) ## Write docs/licences.md from what the locked packages say of themselves
	$(BIN)/python -m docs.build_licences

sbom: $(TESTABLE) ## Write build/sbom.json: every locked package, licence and hash (CycloneDX)
	$(BIN)/python -m docs.build_sbom

audit: $(AUDIT)/.installed ## Ask whether a locked version has a known vulnerability (sends names and versions)
	$(AUDIT)/bin/python .ci/audit.py $(AUDIT)/bin/pip-audit

$(AUDIT)/.installed: Makefile
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	@touch $@

# The peers live apart: their requirements are not ours.
$(PEERS)/.installed: Makefile
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check vectorbt==1.2.0 vectorbt-rust==1.2.0 raptorbt==0.13.4 backtesting==0.6.6 bt==1.4.1 akquant==0.3.71 nautilus_trader==1.221.0
	@touch $@

soak: $(TESTABLE) ## Ten minutes under fire, then hours of what tests try in minutes: misbehaving models, races, weather, damage, fuzzing, laws
	$(BIN)/python -m benchmarks.under_fire --seed $$RANDOM
	SOAK_TIMES=2 $(BIN)/python -m pytest -q -m soak
	SOAK_SEEDS=500 $(BIN)/python -m pytest -q tests/nodes/optimization/test_faults.py
	SOAK_TIMES=2 SOAK_SEED=$$RANDOM $(BIN)/python -m pytest -q tests/nodes/optimization/test_killed.py
	SOAK_ROUNDS=100 $(BIN)/python -m pytest -q tests/record/test_run_lock.py
	folder=$$(mktemp -d); $(BIN)/python -m tests.weather $$folder --large; rm -r $$folder
	$(BIN)/python -m benchmarks.hostile
	$(BIN)/python -m benchmarks.damage
	$(BIN)/python -m benchmarks.fuzz --seed $$RANDOM
	SOAK_TIMES=20 $(BIN)/python -m pytest -q tests/backtest/test_agreement.py tests/backtest/test_contradiction.py \
	  tests/backtest/test_description.py tests/backtest/test_engines.py tests/backtest/test_familywise.py \
	  tests/backtest/test_forward.py tests/backtest/test_fused.py tests/backtest/test_higher.py \
	  tests/backtest/test_holding.py tests/backtest/test_informal.py tests/backtest/test_language.py \
	  tests/backtest/test_law.py tests/backtest/test_metrics.py tests/backtest/test_mirror.py \
	  tests/backtest/test_multiple_testing.py tests/backtest/test_overfitting.py tests/backtest/test_periods.py \
	  tests/backtest/test_ruin.py tests/backtest/test_ruin_doors.py \
	  tests/backtest/test_verdict.py tests/backtest/test_walk_forward.py tests/backtest/test_year.py \
	  tests/base/test_plugins_at_run_time.py tests/feeds/test_folder.py tests/graphs/test_server_langgraph.py \
	  tests/nodes/ensemble/test_bounds.py tests/nodes/optimization/test_budgets.py \
	  tests/nodes/optimization/test_changes.py tests/nodes/optimization/test_evidence.py \
	  tests/nodes/optimization/test_model_changes.py tests/nodes/optimization/test_rules.py \
	  tests/nodes/optimization/test_untested.py tests/nodes/test_forks.py tests/nodes/test_odd_answers_resumed.py tests/providers/test_embedded.py \
	  tests/providers/test_service_failures.py tests/reports/test_charts.py tests/test_odd_answers.py \
	  tests/test_packaging.py \
	  tests/threadx/test_command.py tests/threadx/test_command_card.py tests/threadx/test_command_help.py \
	  tests/threadx/test_damaged_home.py tests/threadx/test_disk_full.py tests/threadx/test_error_faces.py \
	  tests/threadx/test_first_run.py tests/threadx/test_odd_locale.py tests/threadx/test_replay.py \
	  tests/threadx/test_seed.py tests/threadx/test_sent_files.py tests/threadx/test_sent_folder.py tests/threadx/test_windows.py \
	  tests/threadx/web/test_accessibility.py tests/threadx/web/test_controls.py tests/threadx/web/test_pages.py \
	  tests/vault/test_home.py tests/vault/test_price_programs.py tests/vault/test_price_times.py \
	  tests/vault/test_price_walk.py tests/vault/test_registered_reading.py

bench: $(TESTABLE) $(PEERS)/.installed ## Measure sweeps beside other engines, and the server while backtests run
	$(BIN)/python -m benchmarks.engine_sweep --shapes --stream --peers $(PEERS)/bin/python
	$(BIN)/python -m benchmarks.server_latency
	$(BIN)/python -m benchmarks.cycle_overhead
	$(BIN)/python -m benchmarks.chart_speed
	$(BIN)/python -m benchmarks.page_speed

ablation: $(INSTALLED) ## Compare the parts of the cycle with random search and TPE
	$(BIN)/python -m benchmarks.ablation

# One resolution, cut in two: what running needs, and what tests add to it. So no version can differ.
# docopt has no wheel, and only num2words' own command uses it.
RESOLVE := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --no-annotate --no-header \
  --no-emit-index-url --no-emit-package docopt --extra embedded --extra exchange --extra dask --extra postgres --extra mcp --extra studio --extra editable

lock: ## Resolve both locks (needs uv; UPGRADE=--upgrade for the newest)
	@mkdir -p build
	cat requirements.lock requirements-test.lock > build/all.lock
	$(RESOLVE) --extra test --generate-hashes $(UPGRADE) -o build/all.lock > /dev/null
	$(RESOLVE) --constraint build/all.lock -o build/running > /dev/null
	awk -F== 'NR == FNR { running[$$1]; next } \
	  /^[a-z0-9]/ { lock = $$1 in running ? "requirements.lock" : "requirements-test.lock" } \
	  { print > lock }' build/running build/all.lock
	rm -r build

clean: ## Remove the environment and every cache (data/ stays)
	rm -rf $(VENV) $(PEERS) $(SITE) $(AUDIT) build .pytest_cache .ruff_cache .mypy_cache .hypothesis .langgraph_api
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
