"""Gold rows: sources, names, and splits."""

import json
from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import files as table
from synthesis import source
from synthesis.splits import in_shares, split

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
    ordered = in_shares(rows, rows.label, seed)
    assert sorted(ordered.id) == list(rows.id)
    for size in range(1, len(rows) + 1):
        head = ordered.label[:size].value_counts()
        for label, count in rows.label.value_counts().items():
            assert abs(head.get(label, 0) - size * count / len(rows)) <= rows.label.nunique()


def test_the_order_depends_on_the_seed_alone():
    rows = pd.DataFrame({"label": list("ab") * 50, "id": range(100)})
    assert in_shares(rows, rows.label, 1).id.tolist() == in_shares(rows, rows.label, 1).id.tolist()
    assert in_shares(rows, rows.label, 1).id.tolist() != in_shares(rows, rows.label, 2).id.tolist()


class Marked:
    """A task whose rows say themselves which group and stratum they are of."""

    def groups(self, rows):
        return rows.group

    def strata(self, rows):
        return rows.label


@st.composite
def grouped(draw, singles=0):
    """Rows of 2 to 4 strata in groups of 1 to 6, and so many more single rows of each stratum; how many to take."""
    labels = "abcd"[: draw(st.integers(2, 4))]
    groups = draw(st.lists(st.lists(st.sampled_from(labels), min_size=1, max_size=6), min_size=1, max_size=40))
    groups += [[label] for label in labels] * singles
    rows = pd.DataFrame([(place, label) for place, group in enumerate(groups) for label in group])
    rows = rows.set_axis(["group", "label"], axis=1).sample(frac=1, random_state=draw(st.integers(0, 9)))
    return rows.set_index(pd.RangeIndex(1, len(rows) + 1)), draw(st.integers(1, len(rows) - 1 or 1))


@given(grouped(), st.integers(0, 9))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_no_group_is_on_both_sides(case, seed):
    rows, count = case
    head, rest = split(rows, count, Marked(), seed)
    assert sorted([*head.index, *rest.index]) == list(rows.index)
    assert not set(head.group) & set(rest.group)
    short = count - len(head)
    assert short >= 0
    assert all(size > short for size in rest.group.value_counts()), "a group that fits is taken"
    again, _ = split(rows, count, Marked(), seed)
    assert again.equals(head)


@given(grouped(singles=40), st.integers(0, 9))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_single_rows_make_the_count_exact_and_the_strata_even(case, seed):
    rows, count = case
    head, _ = split(rows, count, Marked(), seed)
    assert len(head) == count
    for label, size in Counter(rows.label).items():
        assert abs((head.label == label).sum() - count * size / len(rows)) <= rows.label.nunique()


def test_rows_without_groups_are_split_where_a_head_ends():
    rows = pd.DataFrame({"label": list("aab") * 40, "group": range(120)})
    head, rest = split(rows, 30, Marked(), 3)
    assert pd.concat([head, rest]).equals(in_shares(rows, rows.label, 3))


def test_groups_of_one_size_keep_their_strata_and_their_share():
    """Two rows a premise, of any two labels: no single row makes up for anything."""
    kinds = ["ab", "aa", "bb", "ba", "bc"]
    rows = pd.DataFrame([(i, label) for i in range(1000) for label in kinds[i % 5]], columns=["group", "label"])
    head, _ = split(rows, 500, Marked(), 0)
    assert len(head) == 500
    assert {label: abs(n - {"a": 200, "b": 250, "c": 50}[label]) <= 2 for label, n in Counter(head.label).items()} == {
        "a": True, "b": True, "c": True,
    }  # fmt: skip


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
    assert told["dropped"] == {"duplicates": 0, "conflicts": 0, "unlabelled": 0, "also_in_test": 50}
    assert told["dropped_from_test"] == {"duplicates": 0, "conflicts": 0, "unlabelled": 0}
    validation = table.read(repository.folder / "data/reviews/gold/validation.parquet")
    assert not set(validation.text) & set(rows.text.head(50))


def test_a_share_of_few_gold_rows_has_two_labels(repository):
    """In the order in which budgets are cut the first of the 2 positive rows is the sixth of 24."""
    file = repository.folder / "data/gold/reviews/reviews.csv"
    rows = pd.read_csv(file)
    pd.concat([rows[rows.label == "negative"][:400], rows[rows.label == "positive"][:44]]).to_csv(file, index=False)
    repository.set({"task.reviews.gold.budget": 24, "baseline.tune": [{"kind": "probe"}]})
    repository.stage("gold", "reviews")
    repository.stage("baseline", "reviews")
    [learned] = table.read(repository.folder / "data/reviews/baseline/budgets.parquet").rows.unique()
    assert 6 < learned < 12


def test_hub_ids_name_config_and_split(monkeypatch):
    import datasets

    asked = []

    def load_dataset(name, config, split):
        asked.append((name, config, split))
        features = {"body": SimpleNamespace(), "queue": SimpleNamespace(names=["bad", "good"])}
        return SimpleNamespace(to_pandas=lambda: pd.DataFrame(ROWS), features=features)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for text in ("owner/name", "owner/name:dev", "owner/name:config:dev"):
        source.read(text, "train")
    assert asked == [("owner/name", None, "train"), ("owner/name", None, "dev"), ("owner/name", "config", "dev")]
    assert (source.class_names("owner/name", "queue"), source.class_names("owner/name", "body")) == (
        ["bad", "good"],
        [],
    )
