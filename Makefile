# Unsprawl: two commands matter, `make run` and `make test`. `make help` lists the rest.

# Works from any directory and with any characters in the path.
HERE := $(shell dirname "$(strip $(MAKEFILE_LIST))")
GO = cd "$(HERE)" &&
PY = .venv/bin/python
# Checks need settings, never a running service or anybody's secrets.
CHECKED = env -i PATH="$$PATH" HOME="$$HOME" LANG=C.UTF-8 \
	UNSPRAWL_SECRET_KEY="$$(od -An -tx1 -N48 /dev/urandom | tr -d ' \n')" \
	UNSPRAWL_DATA_DIR=/nonexistent UNSPRAWL_PUBLIC_URL=https://unsprawl.example

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo test check fix soak golden bench lock css venv venv-dev

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' "$(strip $(MAKEFILE_LIST))" | expand -t 16

run: venv  ## run the whole service on this machine, until Ctrl-C
	@$(GO) exec $(PY) -m config.up

demo: venv  ## the same with a demo company in it (its own data directory)
	@$(GO) UNSPRAWL_DEMO=true UNSPRAWL_DATA_DIR="$${UNSPRAWL_DATA_DIR:-.data-demo}" exec $(PY) -m config.up

test: check  ## everything CI runs: checks, then all tests
	@$(GO) scripts/chromium
	@$(GO) $(PY) -m tests.clients.installed
	@echo "== tests"
	@$(GO) exec $(PY) -m pytest -n 2 --dist loadgroup --no-loadscope-reorder -q $(ARGS)

check: venv-dev  ## lint, format, types, import order, migrations, deployment settings
	@echo "== lint and format"
	@$(GO) $(PY) -m ruff check --quiet . && $(PY) -m ruff format --check .
	@echo "== types"
	@$(GO) $(CHECKED) $(PY) -m mypy .
	@echo "== import order"
	@$(GO) $(CHECKED) PYTHONPATH=. .venv/bin/lint-imports --no-logo
	@echo "== migrations"
	@$(GO) $(CHECKED) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@echo "== deployment settings"
	@$(GO) $(CHECKED) $(PY) manage.py check --deploy --fail-level WARNING

fix: venv-dev  ## mend what lint and format can mend
	@$(GO) $(PY) -m ruff check --fix . ; $(PY) -m ruff format .

soak: venv-dev  ## the slow walls at full size: 500 streams, a sequencer killed 600 times, every process and every step of an effect 200 times, an action delivered 10,000 times, a campaign of 200 agents, a cutover of 1,000, 10,000 checks
	@$(GO) UNSPRAWL_SOAK_STREAMS=500 UNSPRAWL_SOAK_CRASHES=25 UNSPRAWL_SOAK_HELD_SECONDS=120 UNSPRAWL_SOAK_RUNS=1000 \
	  UNSPRAWL_SOAK_KILLS=200 UNSPRAWL_SOAK_TAMPER_SEEDS=40 UNSPRAWL_SOAK_TAMPER_CALLS=500 UNSPRAWL_SOAK_FUZZ=20000 \
	  UNSPRAWL_SOAK_DECISIONS=10000 UNSPRAWL_SOAK_HOSTILE_URLS=1 UNSPRAWL_SOAK_PROPOSALS=100 \
	  UNSPRAWL_SOAK_DELIVERIES=10000 UNSPRAWL_SOAK_EFFECT_CRASHES=200 UNSPRAWL_SOAK_LOG_MEGABYTES=200 UNSPRAWL_SOAK_AGENTS=200 UNSPRAWL_SOAK_BATCH=1000 \
	  UNSPRAWL_SOAK_CUTOVER_RACES=100 UNSPRAWL_SOAK_CUTOVER_AGENTS=1000 UNSPRAWL_SOAK_CHECKS=10000 \
	  UNSPRAWL_SOAK_RABBITMQ="$(RABBITMQ)" LISTED_MODELS=100000 \
	  exec $(PY) -m pytest -q --timeout 0 \
	  tests/routing/gateway/test_budget_wall.py tests/ledger/sequencing tests/golden/test_replay.py \
	  tests/journeys/test_kills.py tests/journeys/test_campaign.py tests/ledger/standalone tests/ledger/transparency tests/rules tests/hostile \
	  tests/effects/test_deliveries.py tests/effects/test_crashes.py tests/effects/proposals/test_races.py \
	  tests/fleet/discovery/test_readings.py tests/fleet/retiring/test_batches.py tests/routing/actions/test_listing.py \
	  tests/fleet/cutovers/test_races.py tests/fleet/cutovers/test_many.py tests/fleet/health/test_many.py $(ARGS)

golden: venv-dev  ## record the golden runs of this release, once: later ones replay them
	@$(GO) exec $(PY) -m pytest -q tests/golden/record.py $(ARGS)

bench: venv-dev  ## measure; prints a table and writes JSON
	@$(GO) exec $(PY) -m bench $(ARGS)

lock: venv-dev  ## resolve requirements*.in and the tests' clients again, with hashes
	@$(GO) for name in requirements requirements-dev tests/clients/python/openai2 tests/clients/python/openai3 \
	  tests/clients/python/tracing tests/clients/python/s3; do \
	  $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" $(ARGS) "$$name.in" -o "$$name.txt" || exit 1; done
	@$(GO) for name in node node_tracing; do ( cd tests/clients/$$name && \
	  npm install --package-lock-only --no-fund --no-audit --ignore-scripts ) || exit 1; done

css:  ## build static/css/unsprawl.css again (needs Node; nothing else does)
	@$(GO) cd frontend && { [ -d node_modules ] || npm ci --silent; } && node build.mjs

venv:
	@$(GO) scripts/venv run

venv-dev:
	@$(GO) scripts/venv dev
