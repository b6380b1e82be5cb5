"""`synthesis mine-feedback`: corrected predictions become validation rows, and never touch selection and test."""

import json

import pandas as pd
import pytest

from synthesis import UserError, files
from synthesis.commands.mine_feedback import mine_feedback


def gold(repository, task: str) -> dict[str, pd.DataFrame]:
    folder = repository.folder / "data" / task / "gold"
    return {split: files.read(folder / f"{split}.parquet") for split in ("validation", "selection", "test")}


def mine(repository, task: str, file, *words: str, ok: bool = True):
    return repository.command("mine-feedback", task, str(file), *words, ok=ok)


def flipped(label: str) -> str:
    return {"positive": "negative", "negative": "positive"}[label]


def test_corrected_predictions_are_mined_next(repository, tmp_path):
    before = gold(repository, "reviews")
    texts = [f"The {noun} is dull, and nothing else can be said of it." for noun in ("plot", "cast", "music", "pace")]
    known = {split: rows.text[0] for split, rows in before.items()}
    (tmp_path / "new.csv").write_text("body\n" + "".join(f'"{text}"\n' for text in [*texts, *known.values()]))
    done = tmp_path / "done.csv"
    repository.command("predict", "reviews", str(tmp_path / "new.csv"), str(done), "--column", "text=body")
    refused = mine(repository, "reviews", done, "--column", "text=body", ok=False).stderr
    assert refused == (
        f"error: {done}: column `label` is what was predicted, row by row: name the column of the corrections by "
        "--column label=NAME, or correct it\n"
    )
    table = pd.read_csv(done)
    right = {split: rows.label[0] for split, rows in before.items()}
    corrections = ["negative", "negative", "", "negative", flipped(right["validation"]), right["selection"], "negative"]
    more = pd.DataFrame({"body": [texts[0].upper(), texts[1]], "corrected": ["negative", "positive"]})
    pd.concat([table.assign(corrected=corrections), more]).to_csv(done, index=False)
    words = ["--column", "text=body", "--column", "label=corrected"]
    told = mine(repository, "reviews", done, *words).stdout.splitlines()
    assert told == [
        "left out: 1 without a correction, 1 twice in the file, 2 the same with several labels in the file, "
        "1 in conflict with a gold row, 1 known already, 1 of test, or with something of it",
        f"conflict: {done} row 5: `{flipped(right['validation'])}`, and gold has `{right['validation']}`",
        "new gold rows: 2, in data/gold/reviews/feedback.jsonl; `dvc repro` takes them into validation",
    ]
    assert "gold@reviews" in repository.stale()
    repository.stage("gold", "reviews")
    after = gold(repository, "reviews")
    assert after["test"].equals(before["test"]) and after["selection"].equals(before["selection"])
    assert after["validation"].iloc[:-2].equals(before["validation"])
    new = after["validation"].iloc[-2:]
    assert new.text.tolist() == [texts[0], texts[3]] and new.label.tolist() == ["negative"] * 2
    metrics = json.loads((repository.folder / "metrics/reviews/gold.json").read_text())
    assert metrics["feedback"] == {"rows": 2, "left_out": 0} and metrics["validation"] == len(after["validation"])

    again = mine(repository, "reviews", done, *words).stdout
    assert "3 known already" in again and again.endswith("no new gold rows\n")
    file = repository.folder / "data/gold/reviews/feedback.jsonl"
    assert len(file.read_text().splitlines()) == 2
    row = {"id": "by hand", "text": before["test"].text[0], "label": "negative"}
    file.write_text(file.read_text() + json.dumps(row) + "\n")
    repository.stage("gold", "reviews")
    assert gold(repository, "reviews")["validation"].equals(after["validation"]), "a row of test stays out"


def test_answers_and_pairs(side_by_side, tmp_path):
    before = gold(side_by_side, "adversarial_qa")
    context = "Anna was born in Zell in 1844, and she left Zell in 1860."
    held = before["selection"].iloc[0]
    rows = [
        {
            "context": context,
            "question": "When did Anna leave?",
            "answer": "1860",
            "start": 25,
        },  # as the student had it
        {"context": context, "question": "Which town did she leave?", "answer": "Zell", "start": 44},
        {"context": context, "question": "When did Anna leave?", "answer": "in 1860"},
        {"context": held.context, "question": "Of what is this?", "answer": held.answer, "start": held.answer_start},
    ]
    (tmp_path / "done.jsonl").write_text("".join(json.dumps(row, default=int) + "\n" for row in rows))
    told = mine(side_by_side, "adversarial_qa", tmp_path / "done.jsonl").stdout
    assert told.startswith("left out: 1 with something of a selection row\nnew gold rows: 2, in ")
    side_by_side.stage("gold", "adversarial_qa")
    new = gold(side_by_side, "adversarial_qa")["validation"].iloc[len(before["validation"]) :]
    assert new.answer_start.tolist() == [context.index("1860"), context.rindex("Zell")]
    assert [list(answers) for answers in new.answers] == [["1860", "in 1860"], ["Zell"]]

    before = gold(side_by_side, "rte")
    rows = [{"sentence1": context, "sentence2": f"Anna left {town}.", "label": label}
            for town, label in (("Zell", "entailment"), ("Brenna", "not_entailment"))]  # fmt: skip
    pd.DataFrame(rows).to_parquet(tmp_path / "done.parquet")
    assert mine(side_by_side, "rte", tmp_path / "done.parquet").stdout.startswith("new gold rows: 2, in ")
    side_by_side.stage("gold", "rte")
    after = gold(side_by_side, "rte")
    assert after["validation"].label.tolist()[-2:] == ["entailment", "not_entailment"]
    assert after["test"].equals(before["test"])


def test_a_file_of_no_known_format_is_told(reproduced, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("text,label\na film,positive\n")
    monkeypatch.chdir(reproduced.folder)
    with pytest.raises(UserError, match=r"in\.txt: FILE must be a \.csv, "):
        mine_feedback("reviews", tmp_path / "in.txt")


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (None, [], "does not exist, or is not a file"),
        (
            "text,label\na film,fine\n",
            [],
            "row 1: unknown label `fine` (known: negative, positive): mend the row, or leave it out",
        ),
        ("text,label\n,positive\n", [], "row 1: `text` is empty"),
        ("text,label\na film,\n", [], "has no corrections: column `label` is empty in every row"),
        ("body,label\na film,positive\n", [], "has no column `text` (there: body, label)"),
        ("text\na film\n", [], "say which one it is by --column label=NAME"),
        ("text,label\na film,positive\n", ["stars=label"], "task `reviews` has text, label"),
        (
            "text,label,p(negative),p(positive)\na film,positive,0.5,0.5\na dull film,negative,0.6,0.4\n",
            [],
            "column `label` is what was predicted, row by row",
        ),
    ],
)
def test_what_is_wrong_is_told(reproduced, tmp_path, monkeypatch, text, words, message):
    if text is not None:
        (tmp_path / "in.csv").write_text(text)
    monkeypatch.chdir(reproduced.folder)
    with pytest.raises(UserError) as told:
        mine_feedback("reviews", tmp_path / "in.csv", words)
    assert message in str(told.value) and "\n" not in str(told.value)
    assert not (reproduced.folder / "data/gold/reviews/feedback.jsonl").exists()
