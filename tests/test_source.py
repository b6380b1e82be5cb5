"""Files of gold rows: what is read, and what is refused because a cell's column is not certain."""

import csv
import gzip
import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError, source

ROWS = [{"text": 'a, "b"\nc', "label": "x"}, {"text": "Zwölf 映画 🎬", "label": "NA"}, {"text": "007", "label": "y"}]
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)


def as_csv(rows, delimiter=",") -> str:
    out = io.StringIO()
    lines = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    lines.writerow(rows[0])
    lines.writerows(row.values() for row in rows)
    return out.getvalue()


def read(tmp_path, content, name="gold.csv") -> pd.DataFrame:
    file = tmp_path / name
    content = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    file.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    return source.read(str(file), "train")


def refusal(tmp_path, content, name="gold.csv") -> str:
    with pytest.raises(UserError) as error:
        read(tmp_path, content, name)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    "name",
    ["g.csv", "g.CSV", "g.tsv", "g.csv.gz", "g.TSV.GZ", "g.jsonl", "g.JSONL", "g.jsonl.gz", "g.json", "g.json.gz"],
)
def test_text_formats(tmp_path, name, mark):
    if "json" in name.lower():
        content = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    else:
        content = as_csv(ROWS, "\t" if "tsv" in name.lower() else ",")
    frame = read(tmp_path, mark + content, name)
    assert frame.to_dict("records") == ROWS
    assert list(frame.index) == [1, 2, 3]


@pytest.mark.parametrize("name", ["g.json", "g.jsonl", "g.json.gz"])
def test_an_array_of_objects(tmp_path, name):
    assert read(tmp_path, "\ufeff\n " + json.dumps(ROWS, indent=1), name).to_dict("records") == ROWS


@given(table=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6))
@settings(derandomize=True, deadline=None)
def test_whatever_a_csv_writer_writes_is_read(tmp_path_factory, table):
    rows = [dict(zip("abc", row, strict=True)) for row in table]
    assert read(tmp_path_factory.mktemp("csv"), as_csv(rows)).to_dict("records") == rows


@given(counts=st.lists(st.integers(2, 5), min_size=1, max_size=6), last=st.sampled_from(["", "x"]))
@settings(derandomize=True, deadline=None)
def test_no_count_of_fields_shifts_columns(tmp_path_factory, counts, last):
    """Under a header of three, all rows have three cells, or all have a fourth one that is empty."""
    rows = [[*["1", "2", "3", "4"][: count - 1], last] for count in counts]
    content, folder = "\n".join(["a,b,c", *map(",".join, rows)]), tmp_path_factory.mktemp("csv")
    if set(counts) == {3} or (set(counts) == {4} and last == ""):
        assert read(folder, content).values.tolist() == [row[:3] for row in rows]
        return
    row = next(place for place, count in enumerate(counts, 1) if count != 3)
    assert f"row {row} has {counts[row - 1]} fields, the header 3" in refusal(folder, content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\na,b,\nc,d\n", "row 1 has 3 fields, the header 2"),
        ("text,label\na,b\nc,d,\n", "row 2 has 3 fields, the header 2"),
        ("text,label\nwell, no,b\nc,d\n", "row 1 has 3 fields"),
        ("text,label\na,b\n\nc\n", "row 2 has 1 fields"),
        ("text,label,\na,b\n", "row 1 has 2 fields, the header 3"),
        ('text,label\na,b\n"c,d\ne,f\n', "row 2 has unbalanced quotes"),
        ('text,label\n"a"b,c\n', "row 1 has unbalanced quotes"),
        ('text,"label\na,b\n', "the header has unbalanced quotes"),
        ("text,label,text\na,b,c\n", "two columns are called `text`"),
        ("text,label\n", "has no rows"),
        ("", "is empty"),
        ("\ufeff\n", "is empty"),
        ("text,label\na,b\n".encode("utf-16-le"), "NUL"),
        (b"text,label\na,b\nc\xff,d\n", "is not UTF-8 (byte 16, line 3)"),
        ("text,label\na\ud800,b\n", "is not UTF-8 (byte 12, line 2)"),
    ],
)
def test_csv_that_is_refused(tmp_path, content, said):
    assert said in refusal(tmp_path, content)


def test_blank_lines_and_a_header_with_a_nameless_column(tmp_path):
    frame = read(tmp_path, ",text,label,\n\n1,a,b,\n  \n2,c,d,\n\n")
    assert frame[["text", "label"]].values.tolist() == [["a", "b"], ["c", "d"]]
    assert list(frame.index) == [1, 2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}\n{"a": 1, "a": 2}', "line 2 is not JSON that has one meaning: an object has the key `a` twice"),
        ('[{"a": 1}, 2]', "row 2 is not a JSON object"),
        ('[{"a": 1},\n{"a" 2}]', "is not JSON: Expecting ':' delimiter (line 2)"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "has no rows"),
        ("{}", "has no rows"),
        ("{\n}", "line 1 is not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be read"),
    ],
)
def test_json_that_is_refused(tmp_path, content, said):
    assert said in refusal(tmp_path, content, "gold.json")


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(b"text,label\n" * 99, mtime=0)[:-9], b""])
def test_broken_gzip(tmp_path, content):
    (tmp_path / "gold.csv.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot be read|is empty"):
        source.read(str(tmp_path / "gold.csv.gz"), "train")


def test_parquet_keeps_whole_numbers_and_refuses_what_is_no_text(tmp_path):
    table = pa.table({"text": ["a", "b"], "label": pa.array([1, None], pa.int8())})
    pyarrow.parquet.write_table(table, tmp_path / "gold.parquet")
    assert source.read(str(tmp_path / "gold.parquet"), "train").label.tolist() == [1, None]
    broken = pa.array([b"a", b"\xff"], pa.binary()).cast(pa.string(), safe=False)
    pyarrow.parquet.write_table(pa.table({"text": broken}), tmp_path / "gold.parquet")
    with pytest.raises(UserError, match="cannot be read: "):
        source.read(str(tmp_path / "gold.parquet"), "train")


def test_names_of_classes_stand_in_parquet(tmp_path):
    features = {"text": {"dtype": "string"}, "label": {"names": ["bad", "good"], "_type": "ClassLabel"}}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({"text": ["a"], "label": [0]}).replace_schema_metadata(about)
    pyarrow.parquet.write_table(table, tmp_path / "gold.parquet")
    file = str(tmp_path / "gold.parquet")
    assert source.class_names(file, "label") == ["bad", "good"]
    assert source.class_names(file, "text") == source.class_names("gold.csv", "label") == []


@pytest.mark.parametrize(
    "about",
    [
        b"no json", b"\xff", b"[]", b"7", b'{"info": []}', b'{"info": {"features": "label"}}',
        b'{"info": {"features": {"label": 3}}}', b'{"info": {"features": {"label": {"names": "ab"}}}}',
        b'{"info": {"features": {"label": {"names": ["a", null]}}}}',
    ],
)  # fmt: skip
def test_metadata_that_make_no_sense_name_nothing(tmp_path, about):
    table = pa.table({"text": ["a"], "label": [0]}).replace_schema_metadata({b"huggingface": about})
    pyarrow.parquet.write_table(table, tmp_path / "gold.parquet")
    assert source.class_names(str(tmp_path / "gold.parquet"), "label") == []
