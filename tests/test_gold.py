"""Gold rows: sources, names, and splits."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import source
from stages.gold import spread
from stages.pipeline import table

ROWS = [
    {"body": 'Commas, "quotes"\nand lines', "queue": "a"},
    {"body": "{{ not a template }} {%", "queue": "b"},
    {"body": "Zwölf Boxkämpfer 映画 🎬", "queue": "a"},
]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_every_format_reads_the_same(tmp_path, suffix):
    file, frame = tmp_path / f"gold.{suffix}", pd.DataFrame(ROWS)
    writers = {
        "csv": lambda: frame.to_csv(file, index=False),
        "jsonl": lambda: file.write_text("\n\n".join(json.dumps(row) for row in ROWS)),
        "parquet": lambda: frame.to_parquet(file),
    }
    writers[suffix]()
    read = source.read(str(file), "train")
    assert read.to_dict("records") == ROWS
    assert list(read.index) == [1, 2, 3]


def test_csv_keeps_words_that_pandas_takes_for_nothing(tmp_path):
    (tmp_path / "gold.csv").write_text("text,label\nNA,null\n007,1\n")
    assert source.read(str(tmp_path / "gold.csv"), "train").values.tolist() == [["NA", "null"], ["007", "1"]]


@given(labels=st.lists(st.sampled_from("abcde"), min_size=1, max_size=200), seed=st.integers(0, 9))
@settings(deadline=None, derandomize=True)
def test_every_head_is_stratified(labels, seed):
    rows = pd.DataFrame({"label": labels, "id": range(len(labels))})
    ordered = spread(rows, rows.label, seed)
    assert sorted(ordered.id) == list(rows.id)
    for size in range(1, len(rows) + 1):
        head = ordered.label[:size].value_counts()
        for label, count in rows.label.value_counts().items():
            assert abs(head.get(label, 0) - size * count / len(rows)) <= rows.label.nunique()


def test_spread_depends_on_the_seed_alone():
    rows = pd.DataFrame({"label": list("ab") * 50, "id": range(100)})
    assert spread(rows, rows.label, 1).id.tolist() == spread(rows, rows.label, 1).id.tolist()
    assert spread(rows, rows.label, 1).id.tolist() != spread(rows, rows.label, 2).id.tolist()


def test_splits_are_disjoint_and_within_the_budget(reproduced):
    folder = reproduced.folder / "data/reviews/gold"
    splits = {split: table.read(folder / f"{split}.parquet") for split in ("validation", "selection", "test")}
    assert {split: len(rows) for split, rows in splits.items()} == {"validation": 90, "selection": 30, "test": 80}
    assert len(set(pd.concat(splits.values()).text)) == 200
    for rows in splits.values():
        assert list(rows.columns) == ["id", "text", "label"]
        assert abs((rows.label == "positive").mean() - 0.5) < 0.1


def test_a_smaller_budget_is_part_of_a_larger_one(repository):
    def chosen():
        repository.stage("gold", "reviews")
        folder = repository.folder / "data/reviews/gold"
        return {split: set(table.read(folder / f"{split}.parquet").id) for split in ("validation", "selection", "test")}

    large = chosen()
    repository.set({"task.reviews.gold.budget": 60})
    small = chosen()
    assert small["validation"] | small["selection"] <= large["validation"] | large["selection"]
    assert small["test"] == large["test"]


def test_protocol_of_the_paper_mines_and_selects_on_the_same_rows(repository):
    repository.set({"gold.protocol": "paper"})
    repository.stage("gold", "reviews")
    folder = repository.folder / "data/reviews/gold"
    validation, selection = (table.read(folder / f"{split}.parquet") for split in ("validation", "selection"))
    assert len(validation) == 120
    assert set(validation.id) == set(selection.id)


def test_overlap_is_dropped_from_the_source_and_counted(repository):
    file = repository.folder / "data/gold/reviews/reviews.csv"
    rows = pd.read_csv(file)
    rows.head(50).to_csv(repository.folder / "test.csv", index=False)
    repository.set({"task.reviews.gold.test": "test.csv", "task.reviews.gold.overlap": "drop"})
    repository.set({"task.reviews.gold.test_rows": None})
    repository.stage("gold", "reviews")
    told = json.loads((repository.folder / "metrics/reviews/gold.json").read_text())
    assert told["dropped"] == {"duplicates": 0, "also_in_test": 50}
    validation = table.read(repository.folder / "data/reviews/gold/validation.parquet")
    assert not set(validation.text) & set(rows.text.head(50))


def test_hub_ids_name_config_and_split(monkeypatch):
    import datasets

    asked = []

    def load_dataset(name, config, split):
        asked.append((name, config, split))
        return SimpleNamespace(to_pandas=lambda: pd.DataFrame(ROWS))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for text in ("owner/name", "owner/name:dev", "owner/name:config:dev"):
        source.read(text, "train")
    assert asked == [("owner/name", None, "train"), ("owner/name", None, "dev"), ("owner/name", "config", "dev")]
