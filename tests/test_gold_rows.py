"""Gold rows: which labels and answers count, what is refused, and what becomes of rows that are the same."""

import json
from functools import partial

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError, source, splits, tasks
from synthesis.method import transfer
from synthesis.params import Task as Settings


def task(kind="classification", columns=None, **gold):
    """A task `t`; further settings of its gold rows."""
    gold = {"source": "s", "test": None, "labels": {}, "budget": None, "test_rows": 1, "overlap": "drop"} | gold
    section = {"kind": kind, "gold": gold | {"columns": columns or {}}, "seed_rows": 1, "templates": None}
    return tasks.load("t", Settings.model_validate(section))


def read(tmp_path, rows: list[dict], known=None, **gold):
    """What is left of the rows of a file, and what was dropped."""
    file = tmp_path / "gold.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return splits.read(task(**gold), str(file), "train", known)


def refusal(*args, **kwargs) -> str:
    with pytest.raises(UserError) as error:
        read(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def labelled(*labels, text="text {}") -> list[dict]:
    return [{"text": text.format(number), "label": label} for number, label in enumerate(labels, 1)]


def test_labels_that_are_numbers_need_names(tmp_path):
    said = refusal(tmp_path, labelled(1, 0, 1))
    assert "its labels are numbers" in said and "task.t.gold.labels: {'0': NAME, '1': NAME}" in said
    rows, _ = read(tmp_path, labelled(1, 0, "1"), labels={"0": "bad", "1": "good"})
    assert rows.label.tolist() == ["good", "bad", "good"]


def test_names_of_numbers_are_taken_from_the_file(tmp_path):
    names = {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}
    about = {b"huggingface": json.dumps({"info": {"features": names}}).encode()}
    file = str(tmp_path / "gold.parquet")
    for labels, kept in (([1, 0], ["good", "bad"]), ([1, -1], None)):
        table = pa.table({"text": ["a", "b"], "label": labels}).replace_schema_metadata(about)
        pyarrow.parquet.write_table(table, file)
        if kept:
            assert splits.read(task(), file, "train")[0].label.tolist() == kept
        else:
            with pytest.raises(UserError, match="row 2: unknown label `-1`"):
                splits.read(task(), file, "train")
    assert task().new_labels(source.read(file, "train"), file, partial(source.class_names, file)) == {
        "-1": None,
        "1": "good",
    }


def test_a_label_without_a_name_leaves_its_rows_out(tmp_path):
    names = {"0": "bad", "1": "good", "-1": None}
    rows, dropped = read(tmp_path, labelled(0, -1, 1, -1), labels=names)
    assert rows.id.tolist() == ["train-1", "train-3"]
    assert dropped == {"duplicates": 0, "conflicts": 0, "unlabelled": 2}
    assert read(tmp_path, labelled(0, 1), labels=names)[1]["unlabelled"] == 0, "which need not be there"
    assert "has only unlabelled rows" in refusal(tmp_path, labelled(-1), ["bad", "good"], labels=names)


def test_one_class_twice_is_refused_unless_it_is_mapped(tmp_path):
    rows = labelled("praise ", "Praise", "complaint", 1)
    assert "`Praise` and `praise `" in refusal(tmp_path, rows)
    names = {"praise ": "praise", "Praise": "praise", "complaint": "complaint", "1": None}
    assert read(tmp_path, rows, labels=names)[0].label.tolist() == ["praise", "praise", "complaint"]


def test_a_text_with_two_labels_is_a_conflict(tmp_path):
    rows = [*labelled("a", "b", "a"), *labelled("b", "b", "a", text="TEXT  {}"), {"text": "other", "label": "b"}]
    said = refusal(tmp_path, rows)
    assert "gold.jsonl rows 1 and 4 are the same text with the labels `a` and `b` (1 are like that)" in said
    assert "task.t.gold.conflicts" in said
    kept, dropped = read(tmp_path, rows, conflicts="drop")
    assert kept.text.tolist() == ["text 2", "text 3", "other"]
    assert dropped == {"duplicates": 2, "conflicts": 2, "unlabelled": 0}


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("ab")), min_size=1, max_size=12))
@settings(derandomize=True, deadline=None)
def test_what_is_kept_contradicts_nothing(cases):
    rows = pd.DataFrame(cases, columns=["text", "label"])
    kept, dropped = task(conflicts="drop").settle(rows, "gold.csv")
    labels = rows.groupby("text").label.agg(set)
    assert dict(zip(kept.text, kept.label, strict=True)) == {
        text: min(several) for text, several in labels.items() if len(several) == 1
    }
    assert len(kept) + sum(dropped.values()) == len(rows)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": 5}, "row 2: `text` is 5, which is not a text"),
        ({"text": None}, "row 2: `text` is empty"),
        ({"text": ["a"]}, "row 2: `text` is ['a'], which is not a text"),
        ({"text": "half \ud83d"}, "row 2: `text` holds half a character"),
        ({"label": ["a", "b"]}, "row 2: `label` is ['a', 'b'], and there must be one label a row"),
        ({"label": 0.5}, "row 2: `label` is 0.5"),
        ({"id": 1.5}, "row 2: `id` is 1.5: ids are"),
        ({"id": "1"}, "row 2: id `1` occurs twice"),
    ],
)
def test_cells_that_are_refused(tmp_path, change, said):
    rows = [{"id": number, "text": f"text {number}", "label": label} for number, label in enumerate("aab", 1)]
    rows[1] |= change
    assert said in refusal(tmp_path, rows, columns={"id": "id"})


def question(answer, start=None, ask="Who built it?") -> dict:
    return {"context": "Ada Holm of Riga built the bridge.", "question": ask, "answer": answer, "answer_start": start}


def test_rows_of_one_question_are_merged(tmp_path):
    rows = [question("Ada Holm"), question(["Holm", "Ada Holm"], ask="who built  it?"), question("Ada Holm")]
    kept, dropped = read(tmp_path, [row | {"id": "q1"} for row in rows], kind="span_qa", columns={"id": "id"})
    [row] = kept.itertuples()
    assert (row.id, row.answer, row.answers) == ("q1", "Ada Holm", ["Ada Holm", "Holm"])
    assert dropped == {"duplicates": 1, "merged": 1, "unanswerable": 0}


@pytest.mark.parametrize("nothing", [None, "", [], {"text": [], "answer_start": []}, [""]])
def test_questions_without_an_answer(tmp_path, nothing):
    rows = [question("Ada Holm"), question(nothing, ask="Who sold it?")]
    assert "row 2: the answer is empty" in refusal(tmp_path, rows, kind="span_qa")
    assert "task.t.gold.unanswerable" in refusal(tmp_path, rows, kind="span_qa")
    kept, dropped = read(tmp_path, rows, kind="span_qa", unanswerable="drop")
    assert len(kept) == 1
    assert dropped == {"duplicates": 0, "merged": 0, "unanswerable": 1}


def test_rows_of_another_teacher_are_checked_alike(tmp_path):
    def transferred(rows: list[dict], kind: str = "classification") -> pd.DataFrame:
        file = tmp_path / "seed.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return transfer.read(task(kind, labels={"0": "bad", "1": "good"}), str(file), ["bad", "good"])

    assert transferred(labelled("bad", ["good"])).label.tolist() == ["bad", "good"]
    assert transferred([question("Ada Holm", "0.0")], "span_qa").answer_start.tolist() == [0]
    for rows, said in (
        (labelled("bad", "0"), "row 2: unknown label `0`"),
        (labelled("bad", ["bad", "good"]), "row 2: `label` is ['bad', 'good']"),
        ([{"text": 1, "label": "bad"}], "row 1: `text` is 1, which is not a text"),
    ):
        with pytest.raises(UserError) as error:
            transferred(rows)
        assert said in str(error.value)
    with pytest.raises(UserError, match="row 1: answer_start is 5"):
        transferred([question("Ada Holm", 5)], "span_qa")


def test_one_label_is_no_task(tmp_path):
    assert "rows of two labels or more, and these have `x` only" in refusal(tmp_path, labelled("x", "x", "x"))
