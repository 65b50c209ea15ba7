# The book: from nothing to rendered pages. `make help` lists the verbs.
#
# Only papermill executes chapters, and only Make orders them. A result (a chapter, the study, the
# pages) is made when its manifest build/<study>/made/NAME.json is absent. `python -m
# groove_utils.book make` first removes the manifests of results that are damaged, or whose text,
# parameters, tables, study files or files of groove_utils have changed, and says why; then it calls
# Make for the rules below. analysis/chapters.mk says which table comes from which chapter.

ifneq (4.2,$(firstword $(sort $(MAKE_VERSION) 4.2)))
$(error GNU Make $(MAKE_VERSION) is too old, 4.2 or newer is needed (macOS: `brew install make`, then `gmake`))
endif

STUDY  ?= demo
PARAMS ?= default
PORT   ?= 8000
MARKS  ?= not slow and not weekly
COVERAGE ?= 92
VENV   ?= .venv

# as typed: Make does not expand them, and recipes see them as environment variables only
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
# the newest that fits; not `:=`, since only `make setup` needs it
BASE_PYTHON = $(shell for name in python3.14 python3.13 python3.12 python3.11; do \
  $$name -c 'import ensurepip' 2>/dev/null && exec echo $$name; done; echo python3)

BOOK = $(PY) -m groove_utils.book

##@ Verbs

.PHONY: help
help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  STUDY=demo        a study's name, or a folder with a study.yml"
	@echo "  PARAMS=default    a file in analysis/params/ (default, smoke, full)"

.PHONY: setup
setup: $(READY) ## make the environment .venv from requirements.lock

.PHONY: book
book: $(READY) ## run what has changed, and compile the book
	+@MAKE="$(MAKE)" $(BOOK) make book $(CHAPTERS)

.PHONY: site
site: $(READY) ## build an edition for every study whose data can be had, into build/site
	+@MAKE="$(MAKE)" $(BOOK) site $(CHAPTERS)

.PHONY: chapter
chapter: $(READY) ## run one chapter and what it stands on: CH=06-probing
	+@MAKE="$(MAKE)" $(BOOK) make chapter $(CHAPTERS)

.PHONY: lab
lab: $(READY) ## open a chapter in JupyterLab: CH=06-probing
	+@MAKE="$(MAKE)" $(BOOK) lab $(CHAPTERS)

.PHONY: tables
tables: $(READY) ## make the study and the tables that a chapter reads: CH=06-probing
	+@MAKE="$(MAKE)" $(BOOK) tables $(CHAPTERS)

.PHONY: serve
serve: book ## show the book on http://localhost:8000 (PORT=...)
	@$(BOOK) serve

.PHONY: pdf
pdf: book ## print the whole book into one PDF (needs Chromium)
	@$(BOOK) pdf

.PHONY: test
test: $(READY) ## run the tests, with every chapter on the smoke study (MARKS= for all)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "$$MARKS" -n 2 --dist loadfile --no-loadscope-reorder \
	  --cov --cov-fail-under="$$COVERAGE" --doctest-modules groove_utils tests/unit tests/notebooks tests/book

.PHONY: test-browser
test-browser: book ## look at the built book in headless Chromium
	GROOVE_HTML="$$($(BOOK) folder)/html" $(PY) -m pytest -n 2 tests/book tests/browser

.PHONY: check
check: book ## compare the reported values with analysis/expected/demo.json
	@$(BOOK) check analysis/expected/demo.json

.PHONY: expected
expected: book ## accept the demo's present values as the expected ones
	@$(BOOK) check --update analysis/expected/demo.json

.PHONY: bench
bench: $(READY) ## measure speed against named alternatives
	@start=$$(date +%s); failed=; \
	for script in $(filter-out $(DEMO_SEEDS) $(SCALE),$(wildcard tests/bench/bench_*.py)); do \
	  echo "== $$script"; $(PY) $$script || failed="$$failed $$script"; \
	  echo "== $$(($$(date +%s) - start)) s"; \
	done; \
	test -z "$$failed" || { echo "failed, or missed a bar:$$failed"; exit 1; }

# an hour on two cores; a run that was stopped goes on where it was
DEMO_SEEDS := tests/bench/bench_demo_seeds.py

.PHONY: bench-demo
bench-demo: $(READY) ## count the demo's known effects found, missed and falsely found over ten seeds
	OMP_NUM_THREADS=1 $(PY) $(DEMO_SEEDS) --write

SCALE := tests/bench/bench_scale.py

.PHONY: bench-scale
bench-scale: $(READY) ## measure time, memory and files per track over 20,000 tracks
	$(PY) $(SCALE) --write

.PHONY: lint
lint: $(READY) ## ruff, and scripts in step with their notebooks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(BOOK) sync --check analysis

.PHONY: sync
sync: $(READY) ## bring analysis/*.py and *.ipynb into step (the newer one wins)
	$(BOOK) sync analysis

.PHONY: new-chapter
new-chapter: $(READY) ## start a chapter from the template: CH=12-tempo
	@$(BOOK) new analysis

.PHONY: remove-chapter
remove-chapter: $(READY) ## take a chapter out of the book, keeping its files: CH=12-tempo
	@$(BOOK) remove analysis

.PHONY: lock
lock: ## resolve requirements.lock for all Pythons and systems, keeping its versions (needs uv)
	@.ci/lock

.PHONY: clean
clean: $(READY) ## delete this study's generated files, but not the cache
	@$(BOOK) clean

.PHONY: clean-cache
clean-cache: $(READY) ## delete cached embeddings and the like, and say what was freed
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
