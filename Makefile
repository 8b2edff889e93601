PYTHON ?= python
PROGRAMS ?= 5000

.PHONY: exact
exact: ## Compare random programs under footfall with coverage.py's C tracer; prints tried and differing
	$(PYTHON) tests/exact.py --constructs
	$(PYTHON) tests/exact.py --programs $(PROGRAMS)
