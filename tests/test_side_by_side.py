"""Tasks of all kinds in one DAG: they run, and a change to one is none to the others."""

from collections.abc import Iterable

import pandas as pd
import pytest

from synthesis import files as table
from tests.people import ROWS


def of(stages: Iterable[str]) -> set[str]:
    """The tasks of stages."""
    return {stage.split("@")[1].split("-round")[0] for stage in stages}


def read(repository, name: str) -> pd.DataFrame:
    return table.read(repository.folder / "data" / name)


def test_every_task_has_its_report(all_kinds):
    for task in ("reviews", *ROWS):
        report = (all_kinds.folder / "reports" / f"{task}.md").read_text()
        assert report.startswith(f"# {task}\n")
        assert "gold baseline" in report
    assert "exact match" in (all_kinds.folder / "reports/adversarial_qa.md").read_text()


def test_questions_are_compared(side_by_side):
    printed = side_by_side.command("compare", "main", "workspace", "--task", "adversarial_qa", "--spread").stdout
    _, _, head, _, main, workspace, gold, *_ = printed.splitlines()
    assert "F1 on test" in head and "exact match" in main
    assert "| +0.0       | 1.000 | no difference shown |" in workspace
    assert gold.startswith("| gold rows alone |")


@pytest.mark.slow
def test_a_prompt_of_one_task(side_by_side):
    side_by_side.edit("prompts/rte/s3/seed.md", "According to", "Going by")
    stale = side_by_side.stale()
    assert of(stale) == {"rte"}
    assert "seed@rte" in stale and "gold@rte" not in stale and "baseline@rte" not in stale
    assert side_by_side.repro("start@rte") == ["tune@rte", "seed@rte", "start@rte"]
    assert of(side_by_side.stale()) == {"rte"}
    side_by_side.run("git", "checkout", "prompts")
    assert side_by_side.repro() == []


@pytest.mark.slow
def test_parameters_of_one_task(side_by_side):
    side_by_side.set({"task.rte.seed_rows": 30, "task.adversarial_qa.answers": "extracted"})
    assert of(side_by_side.repro()) == {"rte", "adversarial_qa"}


@pytest.mark.slow
def test_gold_rows_of_one_task(side_by_side):
    file = side_by_side.folder / "data/gold/rte/gold.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    ran = side_by_side.repro()
    assert of(ran) == {"rte"}
    assert {"gold@rte", "seed@rte"} <= set(ran), "the contexts that seed rows are written from are others"


@pytest.mark.slow
def test_what_is_an_error_of_question_answering(side_by_side):
    """Every task is asked again which rows are wrong; they are the same here, so nothing follows."""
    side_by_side.set({"method.score_below": 0.01})
    ran = side_by_side.repro()
    for task in ("reviews", *ROWS):
        assert {stage for stage in ran if f"@{task}" in stage} == {
            f"mine@{task}-round0", f"mine@{task}-round1", f"diagnose@{task}", f"report@{task}", f"card@{task}",
        }  # fmt: skip


def test_parser_of_the_template_teacher_is_read_by_who_writes(side_by_side):
    side_by_side.set({"template.parser": "spacy"})
    assert {stage.split("@")[0] for stage in side_by_side.stale()} == {"seed", "extrapolate"}


def test_pair_rows_keep_premise_and_label(all_kinds):
    """Alg. 3: (c_mis, x_add, y_mis)."""
    errors, added = (read(all_kinds, f"rte/round{name}.parquet") for name in ("0/errors", "1/additional"))
    added = added[added.replaces == ""]
    assert len(errors) > 0
    assert added.parent.tolist() == errors.id.tolist()
    assert added.premise.tolist() == errors.premise.tolist()
    assert added.label.tolist() == errors.label.tolist()
    good = added.rejected == ""
    assert good.any()
    assert not (added.hypothesis == errors.hypothesis)[good].any()


def test_question_rows_keep_context_and_span(all_kinds):
    errors, added = (read(all_kinds, f"adversarial_qa/round{name}.parquet") for name in ("0/errors", "1/additional"))
    added = added[added.replaces == ""]
    assert len(errors) > 0
    for column in ("context", "answer", "answer_start"):
        assert added[column].tolist() == errors[column].tolist()
    for row in read(all_kinds, "adversarial_qa/round2/train.parquet").itertuples():
        assert row.context[row.answer_start :].startswith(row.answer)
        assert row.context.count(row.answer) == 1
        assert row.question.endswith("?")
        assert row.answer.lower() not in row.question.lower()


def test_seed_contexts_are_of_validation(all_kinds):
    for task, column in (("rte", "premise"), ("adversarial_qa", "context")):
        seed, gold = read(all_kinds, f"{task}/seed.parquet"), read(all_kinds, f"{task}/gold/validation.parquet")
        assert set(seed[column]) <= set(gold[column])
        assert not set(seed[column]) & set(read(all_kinds, f"{task}/gold/test.parquet")[column])
        wanted = seed[seed.replaces == ""]
        assert wanted[column].nunique() == min(len(wanted), gold[column].nunique()), "each comes before any comes again"


def test_seed_labels_are_uniform(all_kinds):
    assert read(all_kinds, "rte/seed.parquet").label.value_counts().to_dict() == {
        "entailment": 12,
        "not_entailment": 12,
    }


def test_tasks_from_contexts_ask_for_no_rationales(all_kinds):
    for task in ROWS:
        assert read(all_kinds, f"{task}/rationales.parquet").empty
    assert not read(all_kinds, "reviews/rationales.parquet").empty


def test_extracted_answers_are_phrases_that_occur_once(side_by_side):
    side_by_side.set({"task.adversarial_qa.answers": "extracted"})
    side_by_side.repro("seed@adversarial_qa")
    seed = read(side_by_side, "adversarial_qa/seed.parquet")
    assert (seed.replaces == "").sum() == 24
    assert len(set(seed.answer)) > 10
    for row in seed.itertuples():
        assert row.context.find(row.answer) == row.answer_start
        assert row.context.count(row.answer) == 1
