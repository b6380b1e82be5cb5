"""`synthesis predict`: files of all formats, of any length, with bad rows, interrupted and resumed."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError
from synthesis.prediction import writing
from synthesis.prediction.reading import Table
from synthesis.prediction.writing import Output, Rows
from synthesis.students.calibration import Calibration, logs
from tests.conftest import LOCAL

TEXTS = ["A superb film, and a moving one.", 'Dull. "Awful", even.', "Weak,\nfrom start to end.", "Größer als alles."]


def write(path, rows: list[dict]) -> None:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return pd.DataFrame(rows).to_parquet(path)
    if name.endswith(".jsonl"):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        text = pd.DataFrame(rows).to_csv(sep="\t" if name.endswith(".tsv") else ",", index=False)
    path.write_bytes(gzip.compress(text.encode()) if path.name.endswith(".gz") else text.encode())


def read(path) -> list[dict]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return pd.read_parquet(path).to_dict("records")
    if name.endswith(".jsonl"):
        content = path.read_bytes()
        return [
            json.loads(line)
            for line in (gzip.decompress(content) if path.name.endswith(".gz") else content).splitlines()
        ]
    return pd.read_csv(path, sep="\t" if name.endswith(".tsv") else ",").to_dict("records")


def predict(repository, *words, ok=True):
    return repository.command("predict", *map(str, words), ok=ok)


def refused(repository, *words) -> str:
    done = predict(repository, *words, ok=False)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# The front door


@pytest.mark.parametrize("name", ["in.csv", "in.tsv.gz", "in.jsonl", "in.jsonl.gz", "in.parquet"])
def test_every_format_keeps_its_columns_and_gets_labels(reproduced, tmp_path, name):
    rows = [{"id": place, "body": text, "note": None} for place, text in enumerate(TEXTS * 10)]
    write(tmp_path / name, rows)
    outputs = [tmp_path / f"out.{name.partition('.')[2]}", tmp_path / "other.jsonl"]
    for output in outputs:
        said = predict(reproduced, "reviews", tmp_path / name, output, "--column", "text=body").stdout
        assert said.startswith(f"40 rows to {output}; ") and said.endswith("rows/s\n")
    one, other = map(read, outputs)
    assert list(one[0]) == ["id", "body", "note", "label", "p(negative)", "p(positive)"]
    assert [row["body"] for row in one] == [row["body"] for row in rows]
    assert [int(row["id"]) for row in one] == [row["id"] for row in rows]
    for row, same in zip(one, other, strict=True):
        assert abs(row["p(negative)"] + row["p(positive)"] - 1) < 2e-6
        assert row["label"] == max(("negative", "positive"), key=lambda label: row[f"p({label})"])
        assert (row["label"], row["p(positive)"]) == (same["label"], same["p(positive)"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, *(output.name for output in outputs)])


def test_the_answers_are_those_of_evaluate(reproduced, tmp_path):
    test = pd.read_parquet(reproduced.folder / "data/reviews/gold/test.parquet")
    test.to_parquet(tmp_path / "in.parquet")
    told = refused(reproduced, "reviews", tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert "has a column `label` already" in told and "--prefix predicted_" in told
    predict(reproduced, "reviews", tmp_path / "in.parquet", tmp_path / "out.parquet", "--prefix", "predicted_")
    out = pd.read_parquet(tmp_path / "out.parquet").set_index("id")
    known = pd.read_parquet(reproduced.folder / "data/reviews/predictions.parquet").query("split == 'test'")
    known = known.set_index("id").loc[out.index]
    assert len(out) == 80 and (out.predicted_label == known.predicted).all() and (out.label == known.label).all()
    facts = json.loads((reproduced.folder / "data/reviews/student/student.json").read_text())
    fitted = json.loads((reproduced.folder / "metrics/reviews/final.json").read_text())["calibration"]
    assert facts["temperature"] == fitted["temperature"] != 1 and fitted["rows"] == 30, "it is fitted on selection"
    chances = Calibration(facts["temperature"], facts["threshold"]).apply(logs(known[["p(negative)", "p(positive)"]]))
    assert (out["predicted_p(positive)"] - chances[:, 1]).abs().max() < 1e-5


def test_answers_in_contexts(all_kinds, tmp_path):
    rows = [{"q": "When was Anna born?", "context": "Anna was born in Zell in 1844."}]
    write(tmp_path / "in.jsonl", [*rows, {"q": "When?"}])
    predict(all_kinds, "adversarial_qa", tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--column", "question=q")
    [row] = read(tmp_path / "out.jsonl")
    assert row["context"][row["start"] :].startswith(row["answer"]) and row["answer"] and row["score"] == 0.5
    [bad] = read(tmp_path / "out.jsonl.rejected.jsonl")
    assert (bad["row"], bad["line"], bad["reason"]) == (2, 2, "`context` is missing")


def test_bad_rows_go_to_a_file_of_their_own(reproduced, tmp_path):
    (tmp_path / "in.csv").write_bytes(
        b'id,text\n1,fine\n2,\n3,  \n4,a,b\n5\n6,\xff\n7,"a\nb"\n8,"said "no"\n9,last,\n10,"never closed\n11,good\n'
    )
    said = predict(reproduced, "reviews", tmp_path / "in.csv", tmp_path / "out.csv").stdout
    assert said.startswith(f"4 rows to {tmp_path / 'out.csv'}, 7 rejected to {tmp_path / 'out.csv'}.rejected.jsonl; ")
    assert [row["id"] for row in read(tmp_path / "out.csv")] == [1, 7, 9, 11]
    bad = [json.loads(line) for line in (tmp_path / "out.csv.rejected.jsonl").read_text().splitlines()]
    assert [(row["row"], row["line"]) for row in bad] == [(2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (8, 10), (10, 12)]
    assert [row["reason"] for row in bad[:5]] == [
        "`text` is empty",
        "`text` is empty",
        "it has 3 fields, the header 2",
        "it has 1 fields, the header 2",
        "it is not UTF-8",
    ]
    assert all("quotes are unbalanced" in row["reason"] for row in bad[5:])
    assert bad[0]["input"] == {"id": "2", "text": ""} and bad[2]["input"] == "4,a,b"


def test_bad_lines_of_json(reproduced, tmp_path):
    lines = ['{"text": "fine"}', "", "[1]", '{"text": ', '{"text": 3}', '{"text": "a", "text": "b"}', '{"body": "x"}']
    lines += ['{"text": "half \\ud800"}', '{"text": "good", "more": {"a": [1, null]}}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    predict(reproduced, "reviews", tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    out = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in out] == ["fine", "good"] and out[1]["more"] == {"a": [1, None]}
    bad = [json.loads(line) for line in (tmp_path / "out.jsonl.rejected.jsonl").read_text().splitlines()]
    assert [row["line"] for row in bad] == [3, 4, 5, 6, 7, 8]
    reasons = ["not a JSON object", "not JSON", "is 3, which is not a text", "`text` twice", "missing", "surrogate"]
    assert all(reason in row["reason"] for reason, row in zip(reasons, bad, strict=True))


def test_json_that_is_nested_too_deep_to_be_written_costs_its_own_row(reproduced, tmp_path):
    depths = [299, 300, 600, *range(900, 1000, 10), 5000]  # of the lists within each row, which itself is one level
    lines = ['{"text": "[fine] ' + "[" * 400 + '"}']
    lines += ['{"text": "fine", "more": ' + "[" * depth + "]" * depth + "}" for depth in depths]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    predict(reproduced, "reviews", tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert len(read(tmp_path / "out.jsonl")) == 2
    bad = read(tmp_path / "out.jsonl.rejected.jsonl")
    assert [row["line"] for row in bad] == list(range(3, 3 + len(depths) - 1)) and bad[0]["input"] == lines[2]
    assert bad[0]["reason"] == "its JSON is more than 300 levels deep"


def test_later_rows_of_json_that_have_a_column_of_the_answers_are_rejected(reproduced, tmp_path):
    lines = ['{"text": "fine"}', '{"text": "good", "label": "mine"}', '{"text": "bad", "p(positive)": 1}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    predict(reproduced, "reviews", tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert [row["text"] for row in read(tmp_path / "out.jsonl")] == ["fine"]
    bad = read(tmp_path / "out.jsonl.rejected.jsonl")
    assert [row["input"] for row in bad] == [json.loads(line) for line in lines[1:]]
    assert [row["reason"].partition(" already")[0] for row in bad] == ["it has `label`", "it has `p(positive)`"]


def test_what_json_does_not_have_is_null(reproduced, tmp_path):
    columns = {"text": ["fine", "good"], "x": [1.5, float("nan")], "l": [[1.0], [float("inf"), 2.0]]}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    predict(reproduced, "reviews", tmp_path / "in.parquet", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [(row["x"], row["l"]) for row in rows] == [(1.5, [1.0]), (None, [None, 2.0])]


def test_a_first_try_with_another_column_is_not_in_the_way(reproduced, tmp_path):
    write(tmp_path / "in.jsonl", [{"body": "fine"}])
    told = refused(reproduced, "reviews", tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert told.endswith("row 1: `text` is missing: if it is called otherwise, say so by --column OURS=THEIRS\n")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    predict(reproduced, "reviews", tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--column", "text=body")


def test_two_at_once_do_not_write_one_file(reproduced, tmp_path):
    write(tmp_path / "in.csv", [{"text": "fine"}])
    begun = {"input": 1}
    other = Output(tmp_path / "out.csv", begun, False)
    for words in ([], ["--force"]):
        told = refused(reproduced, "reviews", tmp_path / "in.csv", tmp_path / "out.csv", *words)
        assert "another process writes" in told
    other.write(0, Rows([{"text": "fine"}], writing.schema(None, ["text"], {})), [])
    assert other.finish() == 0 and (tmp_path / "out.csv").read_text() == "text\nfine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_a_run_that_is_killed_at_its_end_loses_nothing(tmp_path, monkeypatch):
    """Before OUTPUT is there the same command goes on; then it is told that OUTPUT is there."""
    table, bad = Rows([{"text": "fine"}], writing.schema(None, ["text"], {})), [{"row": 1}, {"row": 2}]
    output, begun = Output(tmp_path / "out.csv", {"input": 1}, False), {"input": 1}
    for number in range(3):
        output.write(number, table, bad)
    before = sorted(path.name for path in tmp_path.iterdir())
    with monkeypatch.context() as killed:
        killed.setattr(writing.os, "replace", killer(os.replace, 0))
        with pytest.raises(KeyboardInterrupt):
            output.finish()
    assert sorted(path.name for path in tmp_path.iterdir()) == before == ["out.csv.parts"]
    output.lock.release()
    output = Output(tmp_path / "out.csv", begun, False)
    with monkeypatch.context() as killed:
        killed.setattr(writing.Path, "unlink", killer(Path.unlink, 2))
        with pytest.raises(KeyboardInterrupt):
            output.finish()
    output.lock.release()
    with pytest.raises(UserError, match="exists: name another file"):
        Output(tmp_path / "out.csv", begun, False)
    assert (tmp_path / "out.csv").read_text() == "text\nfine\nfine\nfine\n"
    assert len((tmp_path / "out.csv.rejected.jsonl").read_text().splitlines()) == 6


def killer(real, calls: int):
    """A function that works so often, and then ends the process."""

    def method(*words, **more):
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise KeyboardInterrupt
        return real(*words, **more)

    return method


def test_an_export_of_another_student_is_refused(repository, tmp_path):
    write(tmp_path / "in.csv", [{"text": "fine"}])
    (repository.folder / "data/reviews/export").mkdir()
    (repository.folder / "data/reviews/export/export.json").write_text('{"format": 2, "student": "of last week"}')
    told = refused(repository, "reviews", tmp_path / "in.csv", tmp_path / "out.csv", "--export")
    assert told == (
        "error: data/reviews/export is not of data/reviews/student as it is now: run `synthesis export reviews`\n"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "data/reviews/export/export.json is missing: `synthesis export` writes it"),
        ("{", "data/reviews/export/export.json is broken: "),
        ('{"format": 1}', "data/reviews/export is an export of another version: run `synthesis export` again"),
    ],
)
def test_a_broken_export_is_told_by_all_who_read_it(repository, tmp_path, text, told):
    write(tmp_path / "in.csv", [{"text": "fine"}])
    file = repository.folder / "data/reviews/export/export.json"
    file.parent.mkdir()
    if text is not None:
        file.write_text(text)
    words = ["serve"], ["publish", "me/reviews", "--student"], ["predict", "in.csv", "out.csv", "--export"]
    for command, *more in words:
        more = [str(tmp_path / word) if word.endswith(".csv") else word for word in more]
        done = repository.command(command, "reviews", *more, ok=False)
        assert done.returncode == 1 and done.stderr.startswith(f"error: {told}") and done.stderr.count("\n") == 1


def test_a_killed_run_goes_on_where_it_stopped(repository, tmp_path):
    """In chunks of 20 rows, each of which takes a while and is logged."""
    repository.edit("synthesis/prediction/run.py", "CHUNK = 2048", "CHUNK = 20")
    log = tmp_path / "log"
    slow = f"        __import__('time').sleep(0.1)\n        print(inputs[0], file=open({str(log)!r}, 'a'))\n"
    repository.edit(
        "synthesis/students/words.py",
        "    def predict(self, inputs):\n",
        f"    def predict(self, inputs):\n{slow}",
    )
    rows = [{"id": str(place), "text": f"text {place} is superb" if place % 7 else ""} for place in range(600)]
    write(tmp_path / "in.csv", rows)
    words = ["-m", "synthesis", "predict", "reviews", str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    started = subprocess.Popen([sys.executable, *words], cwd=repository.folder, env={**LOCAL, "PATH": ""})
    parts = tmp_path / "out.csv.parts"
    while len(list(parts.glob("*.csv"))) < 5:
        assert started.poll() is None
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert not (tmp_path / "out.csv").exists()
    done = len(list(parts.glob("*.csv")))
    before = log.read_text().splitlines()
    again = repository.run("python", *words)
    assert f"going on after row {20 * done:,}" in again.stderr
    told = log.read_text().splitlines()
    assert len(told) - len(before) == 30 - done, "whole chunks are not predicted again"
    assert again.stdout.startswith("514 rows to ") and "86 rejected" in again.stdout
    out = pd.read_csv(tmp_path / "out.csv", dtype=str)
    assert out.id.tolist() == [row["id"] for row in rows if row["text"]] and not parts.exists()
    bad = [json.loads(line)["row"] for line in (tmp_path / "out.csv.rejected.jsonl").read_text().splitlines()]
    assert bad == [place + 1 for place in range(600) if place % 7 == 0]

    assert "exists: name another file, or overwrite it by --force" in refused(repository, *words[3:])
    repository.run("python", *words, "--force")
    assert pd.read_csv(tmp_path / "out.csv", dtype=str).equals(out)


def test_an_interrupted_run_of_other_rows_is_not_gone_on_with(reproduced, tmp_path):
    write(tmp_path / "in.csv", [{"text": "fine"}])
    (tmp_path / "out.csv.parts").mkdir()
    begun = {"input": ["elsewhere", 1, 1], "student": [], "columns": []}
    (tmp_path / "out.csv.parts" / "state.json").write_text(json.dumps(begun))
    (tmp_path / "out.csv.parts" / "00000000.csv").write_text("text,label\n")
    told = refused(reproduced, "reviews", tmp_path / "in.csv", tmp_path / "out.csv")
    assert "an interrupted run with another input" in told and "--force" in told
    predict(reproduced, "reviews", tmp_path / "in.csv", tmp_path / "out.csv", "--force")
    assert len(read(tmp_path / "out.csv")) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nonsense", "in.csv", "out.csv"], "params.yaml has no task `nonsense`"),
        (
            ["rte", "in.csv", "out.csv"],
            "data/rte/student is missing: the stage `evaluate` writes it, run `dvc rep",
        ),
        (["reviews", "gone.csv", "out.csv"], "gone.csv does not exist"),
        (["reviews", "in.csv", "no/where/out.csv"], "the folder of"),
        (["reviews", "in.csv", "taken.csv"], "taken.csv.parts cannot be made: File exists: name an OUTPUT elsewhere"),
        (["reviews", "in.csv", "folder.csv", "--force"], "folder.csv is a folder: name a file"),
        (["reviews", "in.txt", "out.csv"], "in.txt must be a .csv, .tsv, .jsonl (each also .gz) or .parquet file"),
        (["reviews", "in.csv", "in.csv"], "in.csv is the input"),
        (["reviews", "in.jsonl", "out.csv"], "out.csv must be a .jsonl"),
        (
            ["reviews", "other.csv", "out.csv"],
            "no column `text` (there: id, body): say which one it is by --column",
        ),
        (["reviews", "in.csv", "out.csv", "--column", "body=text"], "--column body: task `reviews` reads text"),
        (["reviews", "in.csv", "out.csv", "--column", "text"], "write OURS=THEIRS"),
        (
            ["reviews", "in.csv", "out.csv", "--column", "text=a", "--column", "TEXT=b"],
            "--column TEXT=b: `TEXT` is called `a` already: name it once",
        ),
        (["reviews", "in.csv", "out.csv", "--export"], "data/reviews/export is missing: `synthesis export reviews`"),
        (["reviews", "empty.csv", "out.csv"], "empty.csv has no rows"),
        (["reviews", "broken.parquet", "out.csv"], "broken.parquet cannot be read"),
        (["reviews", "dates.parquet", "out.csv"], "dates.parquet cannot be read: days=1073741824"),
        (["reviews", "cut.csv.gz", "out.csv"], "cut.csv.gz cannot be read after row "),
        (
            ["reviews", "in.jsonl", "out.jsonl", "--column", "text=body"],
            "none of its first 1 rows can be used; row 1",
        ),
    ],
)
def test_what_is_wrong_is_one_line(reproduced, tmp_path, words, told):
    for name in ("in.csv", "in.jsonl", "in.txt.csv"):
        write(tmp_path / name, [{"text": "fine"}])
    (tmp_path / "in.txt").write_text("fine")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "taken.csv.parts").write_text("a file")
    write(tmp_path / "other.csv", [{"id": 1, "body": "fine"}])
    (tmp_path / "empty.csv").write_text("text\n")
    (tmp_path / "broken.parquet").write_text("no table " * 100)
    dates = pa.array([2**30], pa.int32()).view(pa.date32())  # some three million years from now
    pq.write_table(pa.table({"text": ["fine"], "date": dates}), tmp_path / "dates.parquet")
    write(tmp_path / "cut.csv.gz", [{"text": f"text {place * 7919 % 10007}"} for place in range(9000)])
    whole = (tmp_path / "cut.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    task, source, output, *more = words
    assert told in refused(reproduced, task, tmp_path / source, tmp_path / output, *more)
    assert not (tmp_path / "out.csv").exists()


# Reading


@given(rows=st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=9), min_size=2, max_size=2), min_size=1))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_csv_is_read_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a", "b"], *rows])
    assert [list(record.cells.values()) for record in Table(path)] == rows


@given(rows=st.lists(st.lists(st.text(st.sampled_from('a,"\r\n\t;')), min_size=2, max_size=2), min_size=1))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_csv_is_written_as_it_was_read(tmp_path_factory, rows):
    """Also where a cell holds nothing but a carriage return to be quoted for."""
    path, names = tmp_path_factory.mktemp("csv") / "out.csv", ["a\rb", "c"]
    table = Rows([dict(zip(names, row, strict=True)) for row in rows], writing.schema(None, names, {}))
    writing.WRITERS[".csv"](table, path, True, False)
    assert [record.cells for record in Table(path)] == table.rows


@pytest.mark.parametrize("name", ["in.csv", "in.tsv", "in.jsonl"])
@given(content=st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"{", b'{"a":1}', b"\xff", b"\0", b"\t"])))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_no_bytes_break_the_reader(tmp_path_factory, name, content):
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(b"".join(content))
    try:
        records = list(Table(path))
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert [record.row for record in records] == list(range(1, len(records) + 1))
    assert all((record.cells is None) == bool(record.problem) for record in records)


def test_a_group_of_rows_of_parquet_is_not_read_at_once(tmp_path):
    texts = [os.urandom(2_000).hex() for _ in range(8_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet", use_dictionary=False, row_group_size=8_000)
    before, held = pa.total_allocated_bytes(), []
    for record in Table(tmp_path / "in.parquet"):
        held.append(pa.total_allocated_bytes() - before)
        assert record.cells["text"] == texts[record.row - 1]
    assert max(held) < 20_000_000 and len(held) == 8_000


def test_a_row_of_empty_cells_is_a_row(tmp_path):
    for name, mark in {"in.csv": ",", "in.tsv": "\t"}.items():
        (tmp_path / name).write_text(f"text{mark}id\nfine{mark}1\n{mark}\n\ngood{mark}3\n")
        assert [record.cells["text"] for record in Table(tmp_path / name)] == ["fine", "", "good"]


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path):
    rows = [f"{place},text {place}" for place in range(100_000)]
    rows[10] = '10,"never closed'
    (tmp_path / "in.csv").write_text("\n".join(["id,text", *rows]) + "\n")
    records = list(Table(tmp_path / "in.csv"))
    assert len(records) == 100_000
    assert [record.row for record in records if record.problem] == [11]
