# Every target sets up what it needs: a virtual environment in .venv with the versions of requirements.txt.
PYTHON ?= python3
BIN := .venv/bin
DVC := PATH="$(CURDIR)/$(BIN):$$PATH" dvc

.DEFAULT_GOAL := help
.PHONY: help run test test-slow lint ci new-task estimate bench-teacher clean

## help: list the targets
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## run: dvc repro, then the table of rounds
run: .venv/installed
	@$(DVC) repro
	@cat reports/*.md

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

## bench-teacher: requests a second, CPU and memory of the teacher, beside other clients
bench-teacher: .venv/installed
	@$(BIN)/python -m benchmarks.teacher

## clean: remove the virtual environment (data, metrics and the cache stay)
clean:
	rm -rf .venv

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	@touch $@
