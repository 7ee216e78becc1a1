# The verbs of the project. `make help` lists them; CI uses the same ones.
# ARGS reaches the program behind a verb: make demo ARGS=--json, make test ARGS="-k poller".
.DEFAULT_GOAL := help
.PHONY: help setup demo up down test test-long lint fmt lock docs snapshots images bench bench-dbt sim-autoscale clean

ARGS ?=
# One more than there are cores, as many tests wait for a lease or a server; each process starts an embedded stack of
# its own, so there are never more than four. The longest files begin first (tests/support/order.py), which xdist would
# undo to begin with those that have most tests.
cores := $(shell getconf _NPROCESSORS_ONLN)
parallel := -n $(shell expr $(cores) + 1) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
bin := .venv/bin
# Everything that ruff and mypy read.
python := common services jobs local cli tests benchmarks scripts

help: ## Show this list
	@sed -n 's/^\([a-z%-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r verb text; do \
		printf '%-18s %s\n' "$$verb" "$$text"; done

setup: ## Make .venv from the lock (finds or fetches Python 3.13; does nothing when nothing changed)
	@scripts/bootstrap

demo: setup ## Run the whole platform on this machine, from the shop's API to the marts, and check the result
	@$(bin)/eydp demo $(ARGS)

up: setup ## Start the embedded stack in the background
	@$(bin)/eydp up --detach $(ARGS)

down: setup ## Stop the embedded stack
	@$(bin)/eydp down $(ARGS)

test: setup ## Run the tests (starts the embedded stack by itself)
	@$(bin)/python -m pytest -m "not long" $(parallel) $(ARGS)

test-long: setup ## Run the long campaigns too: hundreds of kills, outages, a soak
	@$(bin)/python -m pytest --timeout 3600 $(parallel) $(ARGS)

lint: setup ## Check style, types, SQL, locks, generated pages, chart, Dockerfiles and what every file must keep to
	@$(bin)/ruff check $(python)
	@$(bin)/ruff format --check $(python)
	@$(bin)/mypy $(python)
	@cd jobs/dbt && ../../$(bin)/sqlfluff lint --nocolor --disable-progress-bar models tests
	@$(bin)/python scripts/check_lock.py
	@$(bin)/python scripts/check_tree.py
	@$(bin)/python -m eydp.reference --check
	@$(bin)/python -m eydp.alerts --check
	@$(bin)/python scripts/chart_pages.py --check
	@$(bin)/python scripts/lint_deploy.py
	@$(bin)/python -m pytest --quiet --no-header tests/chart/test_policies.py

fmt: setup ## Format the code and mend what can be mended by itself
	@$(bin)/ruff check --fix-only $(python)
	@$(bin)/ruff format $(python)

lock: setup ## Resolve pyproject.toml into requirements/ (ARGS=--upgrade takes newer versions)
	@scripts/lock $(ARGS)

docs: setup ## Generate docs/configuration.md, docs/metrics.md, docs/alerts.md, .env.example, the chart's README and rules
	@$(bin)/python -m eydp.reference
	@$(bin)/python -m eydp.alerts
	@$(bin)/python scripts/chart_pages.py

snapshots: setup ## Render the chart's main scenarios anew for the tests; look at the difference before you commit it
	@PYTHONPATH=tests:scripts $(bin)/python -m chart.snapshots

images: setup ## Build the images with buildah (ARGS=--stand-in where no registry can be reached; ARGS=poller one of them)
	@PYTHONPATH=scripts $(bin)/python -m image_builder $(ARGS)

bench: setup ## Run every benchmark, one after the other; make bench-NAME runs benchmarks/NAME.py
	@for file in $$(grep -l '^if __name__' benchmarks/*.py); do \
		echo "== $$file"; $(bin)/python "$$file" $(ARGS) || exit; done

bench-%: setup
	@$(bin)/python benchmarks/$(subst -,_,$*).py $(ARGS)

# Not named dbt.py, which would hide the package dbt from whatever is started in its folder.
bench-dbt: setup ## Measure a full and an incremental dbt run (ARGS="--events 10000" for a small one)
	@$(bin)/python benchmarks/star_schema.py $(ARGS)

sim-autoscale: setup ## Simulate the consumer's autoscaling over a day (ARGS=--write writes docs/autoscaling.md)
	@$(bin)/python benchmarks/sim_autoscale.py $(ARGS)

clean: ## Stop the stack and remove all that was made here: .venv, .local, caches
	@if [ -x $(bin)/eydp ]; then $(bin)/eydp down >/dev/null || true; fi
	@rm -rf .venv .local .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build jobs/dbt/target jobs/dbt/logs
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
