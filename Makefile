# The book: from nothing to rendered pages. `make help` lists the verbs.
#
# Only papermill executes chapters, and only Make decides which: a chapter is run when its text,
# its parameters, a table that it reads, a study file that it read, or a file of groove_utils that
# it imported or opened has changed. The last two come from a depfile that each run writes, as a C
# compiler does with -MD; so do those of a catalogued study and of the pages.
# analysis/chapters.mk says which table comes from which chapter.

ifneq (4.2,$(firstword $(sort $(MAKE_VERSION) 4.2)))
$(error GNU Make $(MAKE_VERSION) is too old, 4.2 or newer is needed (macOS: `brew install make`, then `gmake`))
endif

STUDY  ?= demo
PARAMS ?= default
PORT   ?= 8000
MARKS  ?= not slow and not weekly
COVERAGE ?= 92
VENV   ?= .venv

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
BASE_PYTHON := $(shell command -v python3.11 || command -v python3.12 || command -v python3)

# ---- one folder of generated files a study (and parameter file) ----

# a folder's name, with anything that Make or a shell could stumble over made a dash
NAME  := $(shell basename "$(STUDY)" | tr -c 'A-Za-z0-9._\n-' '-')
BUILD := build/$(NAME)$(addprefix -,$(filter-out default,$(PARAMS)))
PAGES := $(CHAPTERS:%=$(BUILD)/book/%.ipynb)
# a folder of the reader's own, or a catalogued study, which is made first
OWN   := $(shell test -f "$(STUDY)/study.yml" && echo own)
STUDY_FOLDER := $(if $(OWN),$(STUDY),$(BUILD)/study)

SUBMAKE = $(MAKE) --no-print-directory
# what failed is said last, whatever other chapters have printed since
TELL = { status=$$?; cat $(BUILD)/failed/*.txt 2>/dev/null; exit $$status; }

##@ Verbs

.PHONY: help
help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  STUDY=demo      a study's name, or a folder with a study.yml"
	@echo "  PARAMS=default  a file in analysis/params/ (default, smoke, full)"

.PHONY: setup
setup: $(READY) ## make the environment .venv from requirements.lock

.PHONY: book
book: $(READY) ## run what has changed, and compile the book
	@rm -rf $(BUILD)/failed
	+@$(SUBMAKE) $(BUILD)/html/index.html || $(TELL)

.PHONY: chapter
chapter: $(READY) ## run one chapter and what it stands on: CH=06-probing
	@test -f "analysis/$(CH).py" || { echo "CH=$(CH): expected one of: $(CHAPTERS)"; exit 1; }
	@rm -rf $(BUILD)/failed
	+@$(SUBMAKE) $(BUILD)/book/$(CH).ipynb || $(TELL)
	@echo "Executed: $(BUILD)/book/$(CH).ipynb"

.PHONY: serve
serve: book ## show the book on http://localhost:8000 (PORT=...)
	$(PY) -m http.server $(PORT) --bind 127.0.0.1 --directory $(BUILD)/html

.PHONY: test
test: $(READY) ## run the tests, with every chapter on the smoke study (MARKS= for all)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "$(MARKS)" -n 2 --dist loadfile --no-loadscope-reorder \
	  --cov --cov-fail-under=$(COVERAGE) --doctest-modules groove_utils tests/unit tests/notebooks tests/book

.PHONY: test-browser
test-browser: book ## look at the built book in headless Chromium
	GROOVE_HTML=$(BUILD)/html $(PY) -m pytest tests/book tests/browser

.PHONY: check
check: book ## compare the reported values with analysis/expected/demo.json
	$(PY) -m groove_utils.book check $(BUILD)/values.json analysis/expected/demo.json

.PHONY: expected
expected: book ## accept the demo's present values as the expected ones
	$(PY) -m groove_utils.book check --update $(BUILD)/values.json analysis/expected/demo.json

.PHONY: bench
bench: $(READY) ## measure speed against named alternatives
	@for script in tests/bench/bench_*.py; do echo "== $$script"; $(PY) $$script || exit 1; done

.PHONY: lint
lint: $(READY) ## ruff, and scripts in step with their notebooks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m groove_utils.book sync --check analysis

.PHONY: sync
sync: $(READY) ## bring analysis/*.py and *.ipynb into step (the newer one wins)
	$(PY) -m groove_utils.book sync analysis

.PHONY: new-chapter
new-chapter: $(READY) ## start a chapter from the template: CH=12-tempo
	@$(PY) -m groove_utils.book new analysis "$(CH)"

.PHONY: lock
lock: $(READY) ## write requirements.lock from what .venv holds
	@{ sed -n '/^#/p;/^[^#]/q' requirements.lock; \
	   $(PY) -m pip freeze --all --exclude-editable --exclude pip --exclude musicnn --exclude basic-pitch \
	   | sed 's/+cpu$$//'; } > requirements.lock.part && mv requirements.lock.part requirements.lock

.PHONY: clean
clean: ## delete this study's generated files, but not the cache
	rm -rf $(BUILD)

.PHONY: clean-cache
clean-cache: $(READY) ## delete cached embeddings and the like, and say what was freed
	@$(PY) -m groove_utils.cache clear

# ---- the graph ----

$(VENV)/.ready: requirements.lock requirements-nodeps.txt pyproject.toml
	@$(BASE_PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 12) else f"Python {v[0]}.{v[1]} found, 3.11 or 3.12 expected: install it, or say make BASE_PYTHON=/path/to/python3.11")'
	$(BASE_PYTHON) -m venv $(VENV)
	$(PY) -m pip install --disable-pip-version-check -q -r requirements.lock
	$(PY) -m pip install --disable-pip-version-check -q --no-deps -r requirements-nodeps.txt
	$(PY) -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	$(PY) -c 'import umap; from groove_utils.descriptors.whole_study import compile_kernels; compile_kernels()'
	@touch $@

.PHONY: FORCE
FORCE:

# another folder of the same name is another study
$(BUILD)/study.path: FORCE
	@mkdir -p $(@D); echo "$(STUDY)" | cmp -s - $@ || echo "$(STUDY)" > $@

# one file of parameters a chapter; an unchanged one is left alone, and so is its chapter
SPLIT_PARAMS = $(PY) -m groove_utils.book params analysis/params/$(PARAMS).yml $(BUILD)/params $(CHAPTERS)
$(BUILD)/params/split: analysis/params/$(PARAMS).yml analysis/chapters.mk
	@$(SPLIT_PARAMS) && touch $@
$(BUILD)/params/%.yml: $(BUILD)/params/split
	@test -e $@ || $(SPLIT_PARAMS)

ifeq ($(OWN),)
$(BUILD)/study.made: $(BUILD)/params/study-$(STUDY).yml
	@$(PY) -m groove_utils.study prepare "$(STUDY)" $(BUILD)/study --params $< \
	  --stamp $@ --deps $(BUILD)/deps/study.mk
$(BUILD)/study.valid: $(BUILD)/study.made
endif

# find, not prerequisites: names of sound files may hold spaces
$(BUILD)/study.valid: FORCE
	@mkdir -p $(@D); \
	if test ! -e $@ || test -n "$$(find "$(STUDY_FOLDER)/" -newer $@ -print | head -n 1)"; then \
	  $(PY) -m groove_utils.study validate "$(STUDY_FOLDER)" --stamp $@; fi

define chapter_rules
$(BUILD)/book/$(1).ipynb: analysis/$(1).py $(BUILD)/params/$(1).yml $(BUILD)/study.path \
    $($(1).reads:%=$(BUILD)/tables/%.parquet) | $(BUILD)/study.valid
	@$$(PY) -m groove_utils.book run $$< --study "$$(STUDY)" --build $(BUILD) \
	  --params $(BUILD)/params/$(1).yml --reads $($(1).reads) --writes $($(1).writes)
$($(1).writes:%=$(BUILD)/tables/%.parquet): $(BUILD)/book/$(1).ipynb
	@test -e $$@ || { rm -f $$<; echo "$$@ was deleted; say make again to run $(1)."; exit 1; }
endef
$(foreach chapter,$(CHAPTERS),$(eval $(call chapter_rules,$(chapter))))

-include $(wildcard $(BUILD)/deps/*.mk)

$(BUILD)/html/index.html: $(PAGES) $(wildcard book/* book/_static/*) _config.yml \
    analysis/chapters.mk requirements.txt requirements-nodeps.txt
	@$(PY) -m groove_utils.book build --study "$(STUDY)" --build $(BUILD) $(CHAPTERS)
