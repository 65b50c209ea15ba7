# The book, from an empty environment to rendered pages. `make help` lists the commands.
#
# Only papermill executes chapters, and only Make orders them. Make builds a result (a chapter, the
# study, the pages) if its manifest build/<study>/made/NAME.json is absent. Before calling Make for
# the rules below, `python -m groove_utils.book make` removes the manifests of results that are
# damaged or out of date, and says why. A result is out of date if its text, parameters, tables,
# study files or files of groove_utils have changed. analysis/chapters.mk says which chapter writes
# and reads which table.

ifneq (4.2,$(firstword $(sort $(MAKE_VERSION) 4.2)))
$(error GNU Make $(MAKE_VERSION) is too old, 4.2 or newer is needed (macOS: `brew install make`, then `gmake`))
endif

STUDY  ?= demo
PARAMS ?= default
PORT   ?= 8000
MARKS  ?= not slow and not weekly
COVERAGE ?= 92
VENV   ?= .venv

# Make does not expand these values; recipes get them as environment variables only
override STUDY    := $(value STUDY)
override PARAMS   := $(value PARAMS)
override CH       := $(value CH)
override PORT     := $(value PORT)
override MARKS    := $(value MARKS)
override COVERAGE := $(value COVERAGE)
export STUDY PARAMS CH PORT MARKS COVERAGE

.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

include analysis/chapters.mk

# ---- the environment: .venv from the lock, unless PY names a Python that has everything ----

ifeq ($(origin PY),undefined)
PY    := $(VENV)/bin/python
READY := $(VENV)/.ready
endif
# the newest supported Python; `=` instead of `:=`, since only `make setup` needs it
BASE_PYTHON = $(shell for name in python3.14 python3.13 python3.12 python3.11; do \
  $$name -c 'import ensurepip' 2>/dev/null && exec echo $$name; done; echo python3)

BOOK = $(PY) -m groove_utils.book

##@ Commands

.PHONY: help
help: ## list the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  STUDY=demo        a study's name, or a folder with a study.yml"
	@echo "  PARAMS=default    a file in analysis/params/ (default, smoke, full)"

.PHONY: setup
setup: $(READY) ## create the environment .venv from requirements.lock

.PHONY: book
book: $(READY) ## run the chapters that have changed, and compile the book
	+@MAKE="$(MAKE)" $(BOOK) make book $(CHAPTERS)

.PHONY: site
site: $(READY) ## build an edition of the book for every available study, in build/site
	+@MAKE="$(MAKE)" $(BOOK) site $(CHAPTERS)

.PHONY: chapter
chapter: $(READY) ## run one chapter and the chapters that it depends on: CH=06-probing
	+@MAKE="$(MAKE)" $(BOOK) make chapter $(CHAPTERS)

.PHONY: lab
lab: $(READY) ## open a chapter in JupyterLab: CH=06-probing
	+@MAKE="$(MAKE)" $(BOOK) lab $(CHAPTERS)

.PHONY: tables
tables: $(READY) ## create the study and the tables that a chapter reads: CH=06-probing
	+@MAKE="$(MAKE)" $(BOOK) tables $(CHAPTERS)

.PHONY: serve
serve: book ## show the book on http://localhost:8000 (PORT=...)
	@$(BOOK) serve

.PHONY: pdf
pdf: book ## print the whole book to one PDF (needs Chromium)
	@$(BOOK) pdf

.PHONY: test
test: $(READY) ## run the tests, with every chapter on the smoke study (MARKS= runs all tests)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "$$MARKS" -n 2 --dist loadfile --no-loadscope-reorder \
	  --cov --cov-fail-under="$$COVERAGE" --doctest-modules groove_utils tests/unit tests/notebooks tests/book

.PHONY: test-browser
test-browser: book ## test the built book in headless Chromium
	GROOVE_HTML="$$($(BOOK) folder)/html" $(PY) -m pytest -n 2 tests/book tests/browser

.PHONY: check
check: book ## compare the reported values with analysis/expected/demo.json
	@$(BOOK) check analysis/expected/demo.json

.PHONY: expected
expected: book ## accept the demo's current values as the expected ones
	@$(BOOK) check --update analysis/expected/demo.json

.PHONY: bench
bench: $(READY) ## measure speed against named alternatives
	@start=$$(date +%s); failed=; \
	for script in $(filter-out $(DEMO_SEEDS) $(SCALE),$(wildcard tests/bench/bench_*.py)); do \
	  echo "== $$script"; $(PY) $$script || failed="$$failed $$script"; \
	  echo "== $$(($$(date +%s) - start)) s"; \
	done; \
	test -z "$$failed" || { echo "failed, or missed a target:$$failed"; exit 1; }

# takes an hour on two cores; an interrupted run continues where it stopped
DEMO_SEEDS := tests/bench/bench_demo_seeds.py

.PHONY: bench-demo
bench-demo: $(READY) ## count how often known effects are found or missed, and absent ones found
	OMP_NUM_THREADS=1 $(PY) $(DEMO_SEEDS) --write

SCALE := tests/bench/bench_scale.py

.PHONY: bench-scale
bench-scale: $(READY) ## measure time, memory and files per track over 20,000 tracks
	$(PY) $(SCALE) --write

.PHONY: lint
lint: $(READY) ## check the style, and that scripts and notebooks agree
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(BOOK) sync --check analysis

.PHONY: sync
sync: $(READY) ## synchronise analysis/*.py and *.ipynb (the newer file wins)
	$(BOOK) sync analysis

.PHONY: new-chapter
new-chapter: $(READY) ## start a chapter from the template: CH=12-tempo
	@$(BOOK) new analysis

.PHONY: remove-chapter
remove-chapter: $(READY) ## remove a chapter from the book, keeping its files: CH=12-tempo
	@$(BOOK) remove analysis

.PHONY: lock
lock: ## resolve requirements.lock for all supported systems, keeping its versions (needs uv)
	@.ci/lock

.PHONY: clean
clean: $(READY) ## delete this study's generated files, but not the cache
	@$(BOOK) clean

.PHONY: clean-cache
clean-cache: $(READY) ## delete the cache (embeddings and other results), and report the space freed
	@$(PY) -m groove_utils.cache clear

# ---- the graph ----

$(VENV)/.ready: requirements.lock requirements-nodeps.txt pyproject.toml
	@$(BASE_PYTHON) .ci/environment.py $(VENV)

# RESULTS is a study's folder of generated files; `python -m groove_utils.book make` names it
ifdef RESULTS
MADE := $(RESULTS)/made

$(MADE)/study.json:
	@$(PY) -m groove_utils.study prepare "$$STUDY" "$$STUDY_FOLDER" \
	  --params "$(RESULTS)/params/study-$$STUDY.yml" --manifest $@

$(MADE)/valid.json:
	@$(PY) -m groove_utils.study validate "$$STUDY_FOLDER" --manifest $@ \
	  --input $(RESULTS)/study.path

define chapter_rules
$(MADE)/$(1).json: $($(1).reads:%=$(RESULTS)/tables/%.parquet)
	@$$(BOOK) run analysis/$(1).py --build $(RESULTS) --params $(RESULTS)/params/$(1).yml \
	  --reads $($(1).reads) --writes $($(1).writes)
$($(1).writes:%=$(RESULTS)/tables/%.parquet): $(MADE)/$(1).json ;
endef
$(foreach chapter,$(CHAPTERS),$(eval $(call chapter_rules,$(chapter))))

$(MADE)/html.json: $(CHAPTERS:%=$(MADE)/%.json)
	@$(BOOK) build --build $(RESULTS) $(CHAPTERS)
endif
