"""The pipeline of a task whose student writes texts: real stages, real dvc, an endpoint that answers by rules."""

import json
import re
import runpy
import shutil

import pandas as pd
import pytest

from synthesis import files as table
from synthesis import params
from synthesis.publish import lay_out_student
from synthesis.run import Run
from synthesis.students import saved
from tests.conftest import commit, copied
from tests.llm_server import Server
from tests.people import facts
from tests.test_generator import fresh, writers  # noqa: F401

PLAIN = {"full": "{0} was born in {1} in {2}.", "other": "In {2}, {0} was born in {1}."}
# What the server writes: of triples a sentence, of the request for another one another sentence.
BORN = r"(?s)([^\W_]+)_([^\W_]+) \| birthPlace \| (\w+) && \w+ \| birthYear \| (\d+)"
RULES = [
    [BORN + r".*other (?:fluent )?words", r"\1 \2 came into the world in \3; the year was \4."],
    [BORN, r"\1 \2 was born in \3 in \4."],
]
SETTINGS = {
    "tasks": ["webnlg"],
    "rounds": [{"q": 0, "next": 1}],
    "prompts": "short",
    "method.rationales": False,
    "teacher.provider": "openai",
    "teacher.model": "m",
    "task.webnlg.gold.source": "data/gold/webnlg/gold.jsonl",
    "task.webnlg.gold.test": None,
    "task.webnlg.gold.budget": 40,
    "task.webnlg.gold.test_rows": 20,
    "task.webnlg.seed_rows": 20,
    "method.score_below": 0.9,
}


def triples(fact: dict) -> str:
    name = fact["name"].replace(" ", "_")
    return f"{name} | birthPlace | {fact['town']} && {name} | birthYear | {fact['year']}"


def gold(count: int) -> list[dict]:
    """Two rows of a source, of another reference each."""
    return [
        {"source": triples(fact), "target": text.format(fact["name"], fact["town"], fact["year"])}
        for fact in facts(count)
        for text in PLAIN.values()
    ]


def write_gold(repository, rows: list[dict]) -> None:
    file = repository.folder / "data/gold/webnlg/gold.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def written(once, untouched):
    """A repository in which the whole pipeline has run for WebNLG. Only read its files."""

    def prepare(folder) -> None:
        repository = copied(untouched, folder)
        write_gold(repository, gold(64))
        with Server() as running:
            repository.set(SETTINGS | {"asking.base_url": running.space(rules=RULES).url})
            repository.run("dvc", "repro", OPENAI_API_KEY="sk-test")
        commit(repository, "webnlg")

    return once("written", prepare)


def metrics(repository, name: str) -> dict:
    return json.loads((repository.folder / f"metrics/webnlg/{name}.json").read_text())


def test_references_of_a_source_stay_together(written):
    told = metrics(written, "gold")
    assert (told["validation"], told["selection"], told["test"]) == (30, 10, 20)
    assert told["dropped"]["merged"] == 64 and told["remarks"] == {"values_in_no_reference": 0}
    splits = [
        table.read(written.folder / f"data/webnlg/gold/{name}.parquet") for name in ("validation", "selection", "test")
    ]
    rows = pd.concat(splits)
    assert not rows.source.duplicated().any()
    assert rows.references.map(len).eq(2).all() and rows.target.eq(rows.references.str[0]).all()


def test_what_the_teacher_wrote_is_kept_and_learned(written):
    rows = table.read(written.folder / "data/webnlg/round1/train.parquet")
    seed, added = rows[rows["round"] == 0], rows[rows["round"] == 1]
    validation = table.read(written.folder / "data/webnlg/gold/validation.parquet").set_index("id")
    assert len(seed) == 20 and set(seed.source) <= set(validation.source)
    assert len(added) and added.target.str.contains("came into the world").all()
    assert added.source.tolist() == validation.loc[added.parent].source.tolist()
    mined = metrics(written, "round0/mine")
    assert mined["wrong"] >= len(added) and set(mined["by_source_type"]) == {"2 triples"}


def test_the_worst_are_mined_first(written):
    errors = table.read(written.folder / "data/webnlg/round0/errors.parquet")
    assert errors.chrf.is_monotonic_increasing and errors.chrf.max() < 0.9
    assert {"source", "target", "references", "predicted", "probability"} <= set(errors)


def test_scores_of_texts_and_of_the_corpus(written):
    test = metrics(written, "final")["test"]
    assert {"chrf", "bleu", "rouge_l"} <= set(test) and test["low"] <= test["chrf"] <= test["high"]
    assert "slot_error" not in test  # triples have no slots
    for name, mark in {"bleu": "tok:13a", "chrf": "nw:2"}.items():
        corpus = test["corpus"][name]
        assert corpus["low"] <= corpus["score"] <= corpus["high"] and mark in corpus["signature"]
    assert metrics(written, "worth")["p"] > 0


def test_looks_at_the_data(written):
    told = metrics(written, "diagnose")["validation"]
    assert told["mistakes"].keys() <= {"values lost", "values invented", "worded otherwise"}
    assert told["by_source_type"]["2 triples"]["rows"] == 30
    assert metrics(written, "quality")["pairs"] == metrics(written, "round1/combine")["new"]
    page = (written.folder / "reports/webnlg.html").read_text()
    gold = table.read(written.folder / "data/webnlg/gold/validation.parquet")
    shown = set(re.findall(r"<h4>gold <code>(.*?)</code>", page))
    assert len(shown) == min(12, metrics(written, "quality")["pairs"]) > 1
    for references in gold.set_index("id").references[list(shown)]:
        assert all(reference in page for reference in references)
    assert "corpus BLEU" in page and "version:2" in page
    card = (written.folder / "data/webnlg/README.md").read_text()
    assert "`source` of every row was taken from the gold rows" in card and "text2text-generation" in card


def test_lineage_goes_back_to_the_gold_row(written):
    said = written.command("lineage", "round1-0").stdout
    assert "birthPlace" in said and "other words" in said and "came into the world" in said
    assert "chrf" in said


def test_all_corrected_texts_of_a_source_become_references(written, tmp_path):
    repository, source = copied(written, tmp_path), triples({"name": "New Man", "town": "Zell", "year": "1999"})
    texts = ["New Man was born in Zell in 1999.", "In 1999, New Man was born in Zell."]
    lines = "".join(json.dumps({"source": source, "text": text}) + "\n" for text in texts)
    (tmp_path / "done.jsonl").write_text(lines)
    said = repository.command("mine-feedback", "webnlg", str(tmp_path / "done.jsonl")).stdout
    assert said.startswith("new gold rows: 1, in ")
    repository.stage("gold", "webnlg")
    new = table.read(repository.folder / "data/webnlg/gold/validation.parquet").iloc[-1]
    assert (new.source, new.target, list(new.references)) == (source, texts[0], texts)


@pytest.mark.parametrize("kind", ["bart", "llama", "gpt2"])
def test_a_published_student_writes_as_its_card_says(written, writers, tmp_path, monkeypatch, kind):  # noqa: F811
    repository, folder = copied(written, tmp_path / "copy"), tmp_path / "hub"
    monkeypatch.chdir(repository.folder)
    run, student = Run.of("webnlg"), fresh(writers[kind])
    student.model.generation_config.min_new_tokens = 3  # or else a random one may say nothing
    shutil.rmtree(run.paths.student)
    saved.save(student, run.task, run.paths.student)
    lay_out_student(folder, run, str(folder))
    text = (folder / "README.md").read_text()
    assert "library_name: transformers\n" in text
    [code] = re.findall(r"(?s)```python\n(.*?)```", text)
    *lines, last = code.strip().splitlines()
    (tmp_path / "use.py").write_text("\n".join([*lines, f"said = {last}"]))
    said = runpy.run_path(str(tmp_path / "use.py"))["said"]
    said = said if isinstance(said, str) else said[0]["generated_text"]
    assert said.strip() == student.predict(["A source."])[0][0] != ""


def test_students_are_compared(written):
    said = written.command("compare", "workspace").stdout
    assert "chrF++ on test" in said and "a paired bootstrap" in said


def stale(repository, **changes) -> set[str]:
    repository.set({key.replace("__", "."): value for key, value in changes.items()})
    return {name.split("@")[0] for name in repository.stale()}


def test_what_depends_on_the_metric_and_on_what_is_written(written, tmp_path):
    copy = copied(written, tmp_path)
    assert stale(copy) == set()
    by_metric = stale(copy, task__webnlg__metric="bleu")
    assert {"train", "mine", "evaluate", "report"} <= by_metric and not {"gold", "coverage", "quality"} & by_metric
    assert {"gold", "seed", "start", "coverage"} <= stale(
        copy, task__webnlg__metric="chrf", task__webnlg__writes="both"
    )


# What else the teacher may write


PERSON = "Person_{n} | birthPlace | Rome && Person_{n} | birthYear | 19{n}"


@pytest.mark.parametrize(
    ("writes", "rule"),
    [
        ("source", [r"(\w+ \w+) was born in (\w+) in (\d+)", r"\1 | birthPlace | \2 && \1 | birthYear | \3"]),
        ("both", ["", f"{PERSON} => Person {{n}} was born in Rome in 19{{n}}."]),
        ("both", ["", f"Source: {PERSON}\nTarget: Person {{n}} was born in Rome in 19{{n}}."]),
    ],
)
def test_sources_or_both_are_written(fresh, server, writes, rule):
    write_gold(fresh, gold(64))
    prompts = fresh.folder / "prompts/webnlg/short"
    shown = {"source": "{{ target }}\n\nWrite its triples.", "both": "Write triples => a text of them."}[writes]
    (prompts / "seed.md").write_text(shown)
    endpoint = server.space(rules=[rule]).url
    fresh.set(SETTINGS | {"task.webnlg.writes": writes, "asking.base_url": endpoint, "method.replacements": 0})
    fresh.repro("gold@webnlg")
    fresh.stage("rationales", "webnlg")
    fresh.stage("seed", "webnlg", OPENAI_API_KEY="sk-test")
    fresh.stage("combine", "webnlg", "0")
    rows = table.read(fresh.folder / "data/webnlg/round0/train.parquet")
    assert len(rows) >= 9, table.read(fresh.folder / "data/webnlg/round0/rejected.parquet").rejected.value_counts()
    validation = table.read(fresh.folder / "data/webnlg/gold/validation.parquet")
    if writes == "source":
        assert set(rows.target) <= set(validation.target)
        assert rows.source.str.contains("birthPlace").all()
    else:
        assert rows.source.str.startswith("Person_").all() and rows.target.str.contains("born in Rome").all()
        assert not set(rows.source) & set(validation.source)


@pytest.mark.parametrize("writes", ["target", "source", "both"])
def test_gold_rows_that_are_added_themselves_keep_what_the_teacher_would_write(written, tmp_path, writes):
    repository = copied(written, tmp_path)
    repository.set({"task.webnlg.writes": writes, "method.add": "copies"})
    repository.stage("extrapolate", "webnlg", "0")
    names = "round0/errors", "round1/additional"
    errors, added = (table.read(repository.folder / f"data/webnlg/{name}.parquet") for name in names)
    assert len(added) and added[["source", "target"]].to_dict("list") == errors[["source", "target"]].to_dict("list")
    assert added.parent.tolist() == errors.id.tolist()


@pytest.mark.parametrize(
    ("params", "edit", "said"),
    [
        ({"task.webnlg.writes": "source"}, None, "seed.md: there is no `source`, and it must show `target`"),
        ({"task.webnlg.metric": "meteor"}, None, "task.webnlg.metric: input should be 'chrf', 'bleu', 'rouge_l', "),
        ({"task.webnlg.writes": "all"}, None, "task.webnlg.writes: input should be 'target', 'source' or 'both'"),
        ({"teacher.provider": "template"}, None, "task.webnlg.templates is empty, and the template teacher needs"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_one_line(fresh, params, edit, said):
    write_gold(fresh, gold(64))
    fresh.set(SETTINGS)
    fresh.stage("gold", "webnlg")
    fresh.stage("rationales", "webnlg")
    fresh.set(params)
    done = fresh.stage("seed", "webnlg", ok=False, OPENAI_API_KEY="sk-test")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (fresh.folder / "data/webnlg/seed.parquet").exists()


def quiz(count: int) -> list[dict]:
    """Questions with their answers, as the hub has WebQuestions."""
    return [{"question": f"where was {fact['name']} born?", "answers": [fact["town"], "Zell"]} for fact in facts(count)]


@pytest.mark.parametrize(
    ("writes", "folder"),
    [
        (None, "seq2seq_target"),
        ("source", "seq2seq_source"),
        ("both", "seq2seq_source_target"),
    ],
)
def test_a_task_of_your_own(fresh, writes, folder):
    (fresh.folder / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in quiz(60)))
    words = ["--column", "source=question", "--column", "target=answers", *(["--writes", writes] if writes else [])]
    said = fresh.command("new-task", "quiz", "quiz.jsonl", "--kind", "seq2seq", *words).stdout
    assert "60 gold rows, source, target" in said
    section = params.load(fresh.folder / "params.yaml").task["quiz"]
    assert (section.writes, section.metric) == (writes or "target", "exact_match")
    for file in (fresh.folder / "prompts/quiz/s3").iterdir():
        assert file.read_text() == (fresh.folder / f"prompts/_new/{folder}/full/{file.name}").read_text()
    fresh.set({"tasks": ["quiz"], "task.quiz.gold.overlap": "drop"})
    fresh.repro("gold@quiz", "baseline@quiz")
    test = json.loads((fresh.folder / "metrics/quiz/baseline.json").read_text())["test"]
    assert set(test) == {"exact_match", "f1", "low", "high"}
    fresh.set({"teacher.provider": "openai"})
    assert "quiz" in fresh.command("estimate", "quiz", OPENAI_API_KEY="sk-test").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kind", "seq2seq"], "quiz.jsonl has no column `source` (there: question, answers): say which by --column"),
        (["--kind", "seq2seq", "--writes", "all"], "writes: input should be 'target', 'source' or 'both'"),
        (
            ["--writes", "both"],
            "--writes needs columns to choose from, and task `quiz`, of kind classification, has none",
        ),
    ],
)
def test_a_task_of_your_own_that_does_not_fit(fresh, words, said):
    (fresh.folder / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in quiz(6)))
    before = (fresh.folder / "params.yaml").read_text()
    done = fresh.command("new-task", "quiz", "quiz.jsonl", *words, ok=False)
    assert done.returncode == 1 and said in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert (fresh.folder / "params.yaml").read_text() == before and not (fresh.folder / "data/gold/quiz").exists()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"target": " "}, "gold.jsonl row 5: the target is empty"),
        ({"target": 1931}, "gold.jsonl row 5: the target is 1931, which is not a text"),
        ({"source": ""}, "gold.jsonl row 5: `source` is empty"),
        ({"source": ["a"]}, "gold.jsonl row 5: `source` is ['a'], which is not a text"),
    ],
)
def test_bad_gold_rows_are_named_by_file_and_row(fresh, row, said):
    rows = gold(64)
    rows[4] |= row
    write_gold(fresh, rows)
    fresh.set(SETTINGS)
    done = fresh.stage("gold", "webnlg", ok=False)
    assert done.returncode == 1 and said in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (fresh.folder / "data/webnlg").exists()


def test_odd_gold_rows_are_learned_and_counted(fresh):
    rows = gold(64)
    rows[0]["target"], rows[2]["target"] = ["", rows[0]["target"]], "She was born."
    rows[3]["target"] = "She was born there."
    write_gold(fresh, rows)
    fresh.set(SETTINGS | {"task.webnlg.gold.budget": 62, "task.webnlg.gold.test_rows": 2})
    said = fresh.stage("gold", "webnlg").stderr
    assert "data/gold/webnlg/gold.jsonl: empty references are left out (1)" in said
    assert metrics(fresh, "gold")["remarks"]["values_in_no_reference"] <= 1
