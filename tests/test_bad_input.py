"""Bad input gets one clear line that names the place and the way out, an exit code, and leaves nothing half-written."""

import csv
import socket

import pytest

GOLD = "data/gold/reviews/reviews.csv"


def fails(repository, stage: str, *words: str, **env) -> str:
    """Run a stage that must fail; the one line that it says."""
    before = snapshot(repository)
    done = repository.stage(stage, *words, ok=False, **env)
    assert done.returncode == 1, done.stdout + done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert snapshot(repository) == before, "something was written"
    return said[0]


def snapshot(repository) -> dict:
    files = [file for folder in ("data", "metrics") for file in (repository.folder / folder).rglob("*")]
    return {file: file.stat().st_mtime_ns for file in files if file.is_file()}


def rows(repository) -> list[list[str]]:
    with (repository.folder / GOLD).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def put(repository, content: list[list[str]]) -> None:
    with (repository.folder / GOLD).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(content)


def test_missing_gold_file(repository):
    repository.set({"task.reviews.gold.source": "data/gold/reviews/nowhere.csv"})
    assert "data/gold/reviews/nowhere.csv does not exist" in fails(repository, "gold", "reviews")


def test_neither_file_nor_hub_id(repository):
    repository.set({"task.reviews.gold.source": "reviews.txt"})
    said = fails(repository, "gold", "reviews")
    assert "reviews.txt" in said
    assert ".csv, .tsv, .jsonl, .json (each also .gz), .parquet" in said


def test_missing_column(repository):
    repository.set({"task.reviews.gold.columns.text": "body"})
    said = fails(repository, "gold", "reviews")
    assert "no column `body` for `text`" in said
    assert "there: id, text, label" in said
    assert "task.reviews.gold.columns" in said


def test_misspelt_column_key(repository):
    repository.set({"task.reviews.gold.columns": {"txt": "text", "label": "label"}})
    said = fails(repository, "gold", "reviews")
    assert "task.reviews.gold.columns" in said
    assert "`txt`" in said


def test_unknown_label(repository):
    content = rows(repository)
    content[7][2] = "meh"
    put(repository, content)
    said = fails(repository, "gold", "reviews")
    assert f"{GOLD} row 7: unknown label `meh`" in said
    assert "negative, positive" in said


def test_label_without_rows(repository):
    repository.set({"task.reviews.gold.labels": {"positive": "positive", "negative": "negative", "mixed": "mixed"}})
    assert "no rows of label `mixed`" in fails(repository, "gold", "reviews")


def test_label_without_validation_rows(repository):
    content = rows(repository)
    content[1][2] = "mixed"
    put(repository, content)
    repository.set({"task.reviews.gold.labels": {}})
    assert "label `mixed` has no validation rows" in fails(repository, "gold", "reviews")


@pytest.mark.parametrize("blank", ["", "  "])
def test_empty_text(repository, blank):
    content = rows(repository)
    content[12][1] = blank
    put(repository, content)
    assert f"{GOLD} row 12: `text` is empty" in fails(repository, "gold", "reviews")


def test_not_utf8(repository):
    file = repository.folder / GOLD
    file.write_bytes(file.read_bytes().replace(b"film", b"fil\xe9", 1))
    assert f"{GOLD} is not UTF-8 (byte " in fails(repository, "gold", "reviews")


def test_no_rows(repository):
    put(repository, rows(repository)[:1])
    assert f"{GOLD} has no rows" in fails(repository, "gold", "reviews")


def test_budget_larger_than_the_data(repository):
    repository.set({"task.reviews.gold.budget": 100_000})
    said = fails(repository, "gold", "reviews")
    assert "task.reviews.gold.budget is 100000" in said


@pytest.mark.parametrize("key", ["gold.budget", "task.reviews.gold.budget"])
def test_budget_that_leaves_a_split_empty(repository, key):
    repository.set({key: 2})
    said = fails(repository, "gold", "reviews")
    assert f"no rows are left for selection: raise {key} or task.reviews.gold.test_rows, or give it rows" in said


def test_more_test_rows_than_data(repository):
    repository.set({"task.reviews.gold.test_rows": 100_000})
    assert "task.reviews.gold.test_rows" in fails(repository, "gold", "reviews")


def test_more_test_rows_than_the_test_file_has(repository):
    (repository.folder / "test.csv").write_text('text,label\n"not in the source",positive\n')
    repository.set({"task.reviews.gold.test": "test.csv"})
    repository.set({"task.reviews.gold.columns": {"text": "text", "label": "label"}})
    said = fails(repository, "gold", "reviews")
    assert "task.reviews.gold.test_rows is 80, but test.csv has only 1 rows" in said


def test_duplicate_ids(repository):
    content = rows(repository)
    content[5][0] = content[3][0]
    put(repository, content)
    assert f"{GOLD} row 5: id `{content[3][0]}` occurs twice" in fails(repository, "gold", "reviews")


def test_test_rows_among_the_source(repository):
    content = rows(repository)
    (repository.folder / "test.csv").write_text("text,label\n" + '"{}",{}\n'.format(*content[4][1:]))
    repository.set({"task.reviews.gold.test": "test.csv"})
    repository.set({"task.reviews.gold.columns": {"text": "text", "label": "label"}})
    said = fails(repository, "gold", "reviews")
    assert f"{GOLD} row 4 also stands in test.csv" in said
    assert "task.reviews.gold.overlap" in said


def test_files_that_both_count_their_rows_from_the_same_number(repository):
    content = rows(repository)
    (repository.folder / "test.csv").write_text("id,text,label\n" + f'{content[6][0]},"not in the source",positive\n')
    repository.set({"task.reviews.gold.test": "test.csv", "task.reviews.gold.test_rows": None})
    said = fails(repository, "gold", "reviews")
    assert f"{GOLD} row 6: id `{content[6][0]}` also stands in test.csv (1 ids do)" in said
    assert "take `id` out of task.reviews.gold.columns" in said


@pytest.mark.parametrize("line", ["{broken", "[1]", '"text"'])
def test_bad_jsonl(repository, line):
    file = repository.folder / "gold.jsonl"
    file.write_text('{"text": "a", "label": "positive"}\n' + line + "\n")
    repository.set({"task.reviews.gold.source": "gold.jsonl"})
    assert "gold.jsonl line 2 is not" in fails(repository, "gold", "reviews")


def test_broken_parquet(repository):
    (repository.folder / "gold.parquet").write_bytes(b"PAR1 but no more")
    repository.set({"task.reviews.gold.source": "gold.parquet"})
    assert "gold.parquet cannot be read" in fails(repository, "gold", "reviews")


def test_hub_that_cannot_be_reached(repository):
    repository.set({"task.reviews.gold.source": "nobody/nothing"})
    said = fails(repository, "gold", "reviews", HF_HUB_OFFLINE="1")  # or the hub's client tries for 23 seconds
    assert "nobody/nothing (split train) cannot be loaded from the hub" in said


def test_prompt_without_a_needed_variable(repository):
    repository.edit("prompts/reviews/s3/extrapolate.md", "{{ text }}", "it")
    said = fails(repository, "extrapolate", "reviews", "0")
    assert "prompts/reviews/s3/extrapolate.md" in said
    assert "text" in said


def test_prompt_with_an_unknown_variable(repository):
    repository.edit("prompts/reviews/s3/seed.md", "{{ label }}", "{{ label }} {{ lable }}")
    said = fails(repository, "seed", "reviews")
    assert "prompts/reviews/s3/seed.md" in said
    assert "lable" in said


def test_prompt_that_is_no_template(repository):
    repository.edit("prompts/reviews/s3/seed.md", "{{ label }}", "{{ label")
    assert "prompts/reviews/s3/seed.md" in fails(repository, "seed", "reviews")


def test_missing_prompt(repository):
    repository.change(prompts="nowhere")
    assert "prompts/reviews/nowhere/seed.md" in fails(repository, "seed", "reviews")


def test_all_wrong_params_at_once(repository):
    repository.edit("params.yaml", "  min_gain:", "  min_gian:")
    repository.set({"student.steps": "many", "task.imdb.gold.overlap": "keep"})
    said = fails(repository, "gold", "reviews")
    for part in (
        "method.min_gain is missing",
        "method.min_gian is not a parameter",
        "student.steps",
        "task.imdb.gold.overlap",
    ):
        assert part in said


def test_task_that_is_not_there(repository):
    repository.change(tasks=["rewievs"])
    assert "`rewievs`, which is not under `task:`" in fails(repository, "gold", "reviews")


def test_unknown_kind_of_task(repository):
    repository.set({"task.reviews.kind": "regression"})
    assert "task.reviews.kind is `regression`, which is not one of classification, pair, seq2seq, span_qa" in fails(
        repository, "gold", "reviews"
    )


def test_rounds_that_do_not_follow(repository):
    repository.change(rounds=[{"q": 0, "next": 1}, {"q": 2, "next": 3}])
    assert "rounds count up from 0" in fails(repository, "gold", "reviews")


def test_params_that_are_no_yaml(repository):
    repository.edit("params.yaml", "gold:\n  protocol", "gold: [\n  protocol")
    assert "params.yaml is not YAML" in fails(repository, "gold", "reviews")


def test_unknown_provider(repository):
    repository.set({"teacher.provider": "oracle"})
    said = fails(repository, "seed", "reviews")
    assert "oracle" in said
    assert "openai" in said


def test_no_api_key(repository):
    repository.set({"teacher.provider": "openai"})
    assert "OPENAI_API_KEY" in fails(repository, "seed", "reviews", OPENAI_API_KEY="", OPENAI_BASE_URL="")


def test_unreachable_endpoint(repository):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    repository.set({"teacher.provider": "openai", "asking.base_url": url})
    said = fails(repository, "seed", "reviews", OPENAI_API_KEY="secret-key")
    assert url in said
    assert "secret-key" not in said


def test_template_teacher_without_a_grammar(repository):
    repository.set({"task.reviews.templates": None})
    assert "task.reviews.templates" in fails(repository, "seed", "reviews")


def test_unknown_kind_of_student(repository):
    repository.set({"student.kind": "genius"})
    said = fails(repository, "train", "reviews", "0")
    assert "genius" in said
    assert "finetune" in said


def test_model_that_cannot_be_loaded(repository):
    repository.set({"student.kind": "finetune", "student.model": "nobody/nothing"})
    said = fails(repository, "train", "reviews", "0", HF_HUB_OFFLINE="1")
    assert "nobody/nothing" in said
    assert "student.model" in said


def test_stage_run_before_the_one_it_needs(fresh):
    said = fails(fresh, "seed", "reviews")
    assert "data/reviews/gold/labels.json is missing" in said
    assert "dvc repro" in said


def test_wrong_number_of_words(repository):
    assert "usage: python -m stages.train TASK Q" in fails(repository, "train", "reviews")
