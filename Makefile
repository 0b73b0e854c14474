# Everything works from a fresh checkout: the environment in .venv is made on the way. Needs Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin
# Without compiled files each process of the tests would compile its libraries anew: most of what it does.
unexport PYTHONDONTWRITEBYTECODE
# As many workers as tests/conftest.py says; one that has nothing left takes tests from the other.
PARALLEL := --numprocesses=auto --dist=worksteal

demo: .venv/ready            ## run the sample job against a sandbox: no account, no mail
	$(BIN)/bulk-cancel demo

test-fast: .venv/ready       ## the tests that start no process and wait for no clock
	$(BIN)/pytest $(PARALLEL) -m "not process and not long" --ignore=tests/processes

test: .venv/ready            ## the tests, all but the long sweeps
	$(BIN)/pytest $(PARALLEL)

test-long: .venv/ready       ## the long sweeps: kill -9 at every point, power cuts, ten times the random examples
	$(BIN)/pytest $(PARALLEL) -m "(long or hypothesis) and not alone" --hypothesis-profile=long --timeout=1800
	$(BIN)/pytest -m "long and alone" --timeout=1800

check: .venv/ready           ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

world: .venv/ready           ## hostile histories in virtual time; SEEDS=1..100000 for more, SEED=42 tells one as a story
	PYTHONPATH=tests $(BIN)/python -m world $(if $(SEED),--tell $(SEED),--seeds $(or $(SEEDS),1..1000)) $(if $(RESUME),--resume $(RESUME))

world-bugs: .venv/ready      ## break the program on purpose, in a copy, and see how many breakages the histories show
	PYTHONPATH=tests $(BIN)/python -m world.bugs

test-httpx2: .venv/ready     ## the HTTP tests over httpx2, the maintained successor of httpx
	BULK_CANCEL_TEST_HTTPX2=1 $(BIN)/pytest $(PARALLEL) -m "not process" \
	  tests/sockets tests/unit/api tests/unit/commands tests/unit/library

docs: .venv/ready            ## write docs/cli.md anew, from the commands' own --help
	$(BIN)/python tests/support/reference.py

lock: .venv/ready            ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --group dev pyproject.toml --extra excel --extra metrics --extra notify \
	  --extra cloud --extra cluster -o requirements.lock

seeded-bugs: .venv/ready     ## break the program on purpose, in a copy, and see each breakage caught
	$(BIN)/python tests/support/seeded_bugs.py

bench: .venv/ready           ## speed and its price: starting, CPU per cancel beside other ways, pacing, memory (20 minutes)
	$(BIN)/python tests/benchmarks/startup.py
	$(BIN)/python tests/benchmarks/cost.py
	$(BIN)/python tests/benchmarks/pacing.py
	$(BIN)/python tests/benchmarks/looks.py
	$(BIN)/python tests/benchmarks/memory.py

bench-long: bench            ## and a run that waits for the limit (8 minutes), ten million rows (an hour), a ledger in PostgreSQL (a minute)
	$(BIN)/python tests/benchmarks/idle.py
	$(BIN)/python tests/benchmarks/scale.py
	$(BIN)/python tests/benchmarks/cluster.py

clean:                       ## remove what make made
	rm -rf .venv .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

# What pip says, a line for each library.
A_LINE_EACH := /^Collecting /         { print "  " $$2 } \
               /^Processing /         { n = split($$2, parts, "/"); split(parts[n], part, "-"); print "  " part[1] "==" part[2] } \
               /^Installing collected / { print "  all are here: installing them" } { fflush() }
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12")'
	@echo "Making the environment in .venv, once: about 750 MB, a minute or more."
	@echo "1 of 3: an empty environment"
	@$(PYTHON) -m venv --clear .venv
	@echo "2 of 3: the libraries of requirements.lock, the long step"
	@{ $(BIN)/python -m pip install --disable-pip-version-check --no-compile --progress-bar off --require-hashes \
	  -r requirements.lock; echo $$? >.venv/status; } | awk '$(A_LINE_EACH)'; exit $$(cat .venv/status)
	@echo "3 of 3: bulk-cancel itself"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo test-fast test test-long check world world-bugs test-httpx2 docs seeded-bugs bench bench-long lock clean
