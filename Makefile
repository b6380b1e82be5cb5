# Every target sets up what it needs: a virtual environment in .venv with the versions of requirements.txt.
PYTHON ?= python3
BIN := .venv/bin
DVC := PATH="$(CURDIR)/$(BIN):$$PATH" dvc

.DEFAULT_GOAL := help
.PHONY: help run test test-slow lint ci new-task estimate arms prompts budgets publish bench-teacher bench-filters clean

## help: list the targets
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## run: dvc repro, then the table of rounds, and where the page is that tells more
run: .venv/installed
	@$(DVC) repro
	@cat reports/*.md
	@printf 'Open in a browser: %s\n' reports/*.html

## test: all tests but the slow ones
test: .venv/installed
	@$(BIN)/python -m pytest

## test-slow: the slow tests
test-slow: .venv/installed
	@$(BIN)/python -m pytest -m slow

## lint: style and common mistakes
lint: .venv/installed
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

## ci [BASE=main]: what continuous integration runs: lint, test, whether dvc.lock is current; the metrics against BASE
BASE ?= main
ci: .venv/installed
	@.ci/run
	@.ci/check "$(BASE)"

# What the kinds of tasks call their columns; each may be set to the name that the gold file has for it.
COLUMNS := TEXT LABEL PREMISE HYPOTHESIS QUESTION CONTEXT ANSWER ANSWER_START
KIND ?= classification

## new-task NAME=... GOLD=... [KIND=pair|span_qa] [TEXT=...] [LABEL=...] ...: a task of your own, from a file of gold rows
new-task: .venv/installed
	@$(BIN)/python -m stages.new_task "$(NAME)" "$(GOLD)" "$(KIND)" $(foreach column,$(COLUMNS),"$(column)=$($(column))")

## estimate [TASKS=...]: the teacher's requests, tokens, dollars and time for the current params, before anything is spent
estimate: .venv/installed
	@$(BIN)/python -m stages.estimate $(TASKS)

# Of the three targets below. SET holds for every experiment. The probe is quick, and has no chance of training that would
# stand beside what is compared; SET= takes the student of params.yaml, SET="student.seeds=5" that with five seeds.
SET ?= student.kind=probe
TASK ?= reviews
VARIANTS ?= s3 direct
BUDGETS ?= 100 300 600
EXPERIMENT := PATH="$(CURDIR)/$(BIN):$$PATH" ./experiment.sh
OVERRIDES = $(foreach value,$(SET),-S $(value))
COMPARE = @$(BIN)/python -m stages.compare --task $(TASK) --out reports/$(TASK)

## arms [TASK=...] [ARMS="goldgen ..."] [SET="key=value ..."] [TRANSFER=PATH]: S3 beside its baselines, ablations and controls
arms: .venv/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" ./arms.sh $(TASK) $(OVERRIDES)

## prompts [TASK=...] [VARIANTS="s3 direct ..."] [SET=...]: the prompt variants, and how much they differ
prompts: .venv/installed
	@for variant in $(VARIANTS); do $(EXPERIMENT) $(TASK)-prompts-$$variant $(TASK) $(OVERRIDES) -S prompts=$$variant || exit 1; done
	$(COMPARE)-prompts --spread $(VARIANTS:%=$(TASK)-prompts-%)

## budgets [TASK=...] [BUDGETS="100 300 ..."] [SET=...]: S3, gold rows alone, and both, by the number of gold rows
budgets: .venv/installed
	@for budget in $(BUDGETS); do \
		$(EXPERIMENT) $(TASK)-s3-$$budget $(TASK) $(OVERRIDES) -S gold.budget=$$budget && \
		$(EXPERIMENT) $(TASK)-gold-and-s3-$$budget $(TASK) $(OVERRIDES) -S gold.budget=$$budget -S method.learn=both || exit 1; done
	$(COMPARE)-budgets --budgets $(foreach budget,$(BUDGETS),$(TASK)-s3-$(budget) $(TASK)-gold-and-s3-$(budget))

## publish TASK=... REPO=owner/name [OPTIONS="--dry-run --gold"]: final rows and dataset card to the Hugging Face hub
publish: .venv/installed
	@$(BIN)/python -m stages.publish "$(TASK)" "$(REPO)" $(OPTIONS)

## bench-teacher: requests a second, CPU and memory of the teacher, beside other clients
bench-teacher: .venv/installed
	@$(BIN)/python -m benchmarks.teacher

## bench-filters: rows a second and memory of the filters, at 100,000 and 1,000,000 rows
bench-filters: .venv/installed
	@$(BIN)/python -m benchmarks.filters

## clean: remove the virtual environment (data, metrics and the cache stay)
clean:
	rm -rf .venv

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	@touch $@
