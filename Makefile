# What a contributor runs, each by one word: `make help`. PYTHON is the environment's; `make setup` makes one in .venv.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
BIN = $(dir $(PYTHON))
PROGRAMS ?= 5000
JOBS ?= auto

# Tests that start few processes: what is computed, and what is written. A minute of two cores at most.
QUICK = tests/data/test_combine.py tests/data/test_coveragedb.py tests/data/test_untrusted_file.py tests/processes/test_install.py \
	tests/reports/test_export.py tests/reports/test_messages.py tests/reports/test_reports.py \
	tests/sampler/test_profile_numbers.py tests/site/test_site.py tests/unit/bytecode/test_branches.py \
	tests/unit/bytecode/test_linetable.py tests/unit/profile/test_calltree.py tests/unit/profile/test_samplelog.py \
	tests/unit/source/test_analyze_*.py tests/unit/source/test_condition_analyses.py tests/unit/structure/test_core_stub.py \
	tests/unit/structure/test_imports.py tests/unit/test_analyze_results.py tests/unit/test_changes.py tests/unit/test_config.py

.DEFAULT_GOAL := help
.PHONY: help setup install test quick lint format exact wasm sanitize web extension editor web-readers docs bench self-coverage self-coverage-only

help: ## Show what there is to make
	@grep -Eh '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

setup: ## Make the environment .venv with footfall, what its tests need, and the linters; of BASE (python3)
	$(or $(BASE),python3) -m venv .venv
	.venv/bin/pip install -q '.[test,dev,docs]'

install: ## Install the tree into the environment, as needed after each change: the tests use what is installed
	$(PYTHON) -m pip install -q --no-deps --force-reinstall .

test: install ## Run all tests, in parallel
	$(PYTHON) -m pytest -q -n $(JOBS) --dist worksteal

quick: install lint ## Lint, and run the tests that start few processes: under a minute
	$(PYTHON) -m pytest -q -n $(JOBS) -m "not slow" $(QUICK)

lint: ## Check types and style
	$(PYTHON) -m mypy
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	find native -name '*.[ch]' | xargs $(BIN)clang-format --dry-run --Werror

format: ## Format the Python and C files, and those of web/ where `make web` was run
	$(PYTHON) -m ruff format .
	find native -name '*.[ch]' | xargs $(BIN)clang-format -i
	if [ -d web/node_modules ]; then cd web && npm run --silent format; fi

exact: ## Compare random programs under footfall with coverage.py's C tracer; prints tried and differing
	$(PYTHON) tests/support/exact.py --constructs
	$(PYTHON) tests/support/exact.py --programs $(PROGRAMS)

wasm: install ## Compare coverage under Pyodide (CPython 3.14 on WebAssembly; needs node and npm) with PYTHON's, a 3.14
	npm install --silent --no-audit --no-fund --prefix build/wasm pyodide@314
	$(PYTHON) -W ignore tests/support/wasm/compare.py build/wasm/node_modules

sanitize: ## Run the tests of the C code in an environment of its own, compiled with ASan and UBSan
	PYTHON=$(PYTHON) bash tools/sanitize.sh

web: ## Check style and types of web/ and build the report's assets from it (needs Node)
	cd web && npm ci --silent && npm run --silent lint && npm run --silent build

extension: ## Check, build and test the extension for VS Code, and package it as editors/vscode/dist/footfall.vsix (needs Node)
	cd editors/vscode && npm ci --silent && FOOTFALL_PYTHON=$(abspath $(shell command -v $(PYTHON))) npm test --silent && npm run --silent package

editor: extension ## Drive the extension in a real editor, code-server in a headless Chromium; installs it once into EDITOR_HOME (needs Node, Chromium)
	PYTHON=$(abspath $(shell command -v $(PYTHON))) bash editors/vscode/driven/run.sh

web-readers: ## Give a run's files to readers of npm, the Firefox Profiler's command line and speedscope among them (needs Node, Chromium)
	FOOTFALL=$(BIN)footfall bash tools/web_readers.sh

docs: ## Build the documentation as a site in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

bench: ## Measure what footfall costs real projects' test suites (half an hour)
	$(PYTHON) bench/suites.py --only cost

self-coverage: install self-coverage-only ## Measure footfall by itself while the quick tests run; prints the total

self-coverage-only: ## The same of what is installed
	FOOTFALL=$(BIN)footfall bash tools/self_coverage.sh $(QUICK)
