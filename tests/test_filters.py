"""The filters: what they leave out, by name, and what they let through."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import files as table
from synthesis import params
from synthesis.filters import sift
from synthesis.filters.grams import similarity
from synthesis.filters.held_out import leaks
from synthesis.filters.near_duplicates import twins
from synthesis.filters.rows import Rows
from synthesis.filters.rules import main_script
from synthesis.params import Task as Settings
from synthesis.tasks import classification, pair, span_qa
from synthesis.tasks.words import normalised
from tests.llm_server import Server

TASK = classification.Task("t", Settings.model_construct(words={}))
QUESTIONS = span_qa.Task("q", Settings.model_construct(words={}))
PAIRS = pair.Task("p", Settings.model_construct(words={}, gold=SimpleNamespace(columns={})))
OFF = params.Filters(
    script=False, question=False, lead_in=False, length=None, parent=None, duplicate=False, near_duplicate=None
)
LONG = "the film was long and its last scene fell flat because nobody in it had any reason to sing"
WORDS = LONG.split()
sentences = st.lists(st.sampled_from([*WORDS[:9], *"αβγ"]), min_size=1, max_size=24).map(" ".join)


def rows(*texts: str, name: str = "new", **columns) -> pd.DataFrame:
    ids = [f"{name}-{i}" for i in range(len(texts))]
    given = {"label": "a", "parent": "", "prompt": "hash", "rejected": ""}
    return pd.DataFrame({"id": ids, "text": texts, **given} | columns)


def sifted(new, old=None, validation=None, selection=None, test=None, task=TASK, **filters) -> pd.DataFrame:
    empty = new.head(0)
    given = {"validation": validation, "selection": selection, "test": test}
    gold = {split: empty if there is None else there for split, there in given.items()}
    chosen = SimpleNamespace(
        method=SimpleNamespace(label="teacher"),
        teacher=SimpleNamespace(tune=None),
        filters=OFF.model_copy(update=filters),
        verify=params.Verify(teacher=None, student=None, confidence=0.9),
    )
    return sift(new, empty if old is None else old, gold, SimpleNamespace(task=task, params=chosen))


def test_reasons_of_the_teacher_stay():
    found = sifted(rows("one", "one", "one", rejected=["refusal", "", ""]), duplicate=True)
    assert found.rejected.tolist() == ["refusal", "", "duplicate"]
    assert found.twin.tolist() == ["", "", "new-1"], "a row that is left out is nobody's twin"


def test_duplicates_ignore_case_and_white_space_and_know_earlier_rounds():
    found = sifted(rows("A new  one", "old one", "a NEW one"), old=rows("Old one", name="old"), duplicate=True)
    assert found.rejected.tolist() == ["", "duplicate", "duplicate"]
    assert found.twin.tolist() == ["", "old-0", "new-0"]


@given(st.lists(st.text(alphabet="aA b", min_size=1), min_size=1, max_size=20))
@settings(derandomize=True, deadline=None)
def test_each_text_stays_once(texts):
    new = rows(*texts)
    kept = TASK.fingerprints(new)[sifted(new, duplicate=True).rejected == ""].tolist()
    assert sorted(kept) == sorted(set(TASK.fingerprints(new)))


@given(sentences, sentences)
@settings(derandomize=True, deadline=None)
def test_similarity_is_symmetric(one, other):
    assert similarity(one, other) == similarity(other, one)
    assert similarity(one, one) == 1


@given(st.lists(sentences, max_size=30))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_near_duplicates_are_near_the_first_of_them_and_stay_out(texts):
    found = sifted(rows(*texts), near_duplicate=0.8)
    kept, dropped = found[found.rejected == ""], found[found.rejected != ""]
    by_id = dict(zip(kept.id, kept.text, strict=True))
    for row in dropped.itertuples():
        assert similarity(normalised(row.text), normalised(by_id[row.twin])) >= 0.8
        assert int(row.twin[4:]) < int(row.id[4:])
    again = sifted(kept.reset_index(drop=True), near_duplicate=0.8)
    assert (again.rejected == "").all(), "what was kept is kept again"
    more = sifted(rows(*texts, LONG), near_duplicate=0.8)
    assert more.rejected.tolist()[: len(texts)] == found.rejected.tolist(), "later rows change nothing"


def test_near_duplicates_are_found_whatever_the_number_of_texts_that_begin_alike():
    texts = [f"I have seen this film and I say {word} {i} {word}" for i, word in enumerate(WORDS * 30)]
    again = [text.replace("I have seen", "I've seen") for text in texts]
    found = sifted(rows(*again, name="again"), old=rows(*texts, name="old"), near_duplicate=0.6)
    assert (found.rejected == "near duplicate").mean() > 0.95


def test_a_small_change_that_makes_another_label_true_is_no_duplicate():
    new = rows(LONG, LONG + "!", LONG + "!!", label=["a", "b", "b"])
    assert sifted(new, near_duplicate=0.8).rejected.tolist() == ["", "", "near duplicate"]


def test_near_duplicates_of_pairs_and_questions_share_their_context():
    given = {"parent": "", "prompt": "hash", "rejected": "", "id": list("xyz")}
    pairs = pd.DataFrame({**given, "premise": ["p", "q", "p"], "hypothesis": LONG, "label": "a"})
    assert sifted(pairs, task=PAIRS, near_duplicate=0.8).rejected.tolist() == ["", "", "near duplicate"]
    asked = {**given, "context": "c", "question": LONG, "answer": ["m", "n", "m"], "answer_start": [1, 2, 1]}
    assert sifted(pd.DataFrame(asked), task=QUESTIONS, near_duplicate=0.8).rejected.tolist()[:2] == ["", ""]


def test_copies_of_the_error():
    new = rows(LONG + " twice", "Another film altogether, and a better one", parent="gold-0")
    found = sifted(new, validation=rows(LONG, name="gold"), parent=0.8)
    assert found.rejected.tolist() == ["copy of its error", ""]
    assert found.twin.tolist() == ["gold-0", ""]
    assert not sifted(new.assign(prompt=""), validation=rows(LONG, name="gold"), parent=0.8).rejected.any(), (
        "the gold row itself is no copy that a teacher made"
    )


def test_lengths_around_golds():
    gold = rows(*(" ".join(WORDS[:n]) for n in range(6, 18)), name="gold")
    new = rows("too few", " ".join(WORDS[:4]), LONG, " ".join(WORDS * 3))
    assert sifted(new, validation=gold, length=2).rejected.tolist() == ["too short", "", "", "too long"]


def test_scripts():
    new = rows("Ein Film wie jeder andere", "Фильм без единой мысли", "この映画は good", "12 / 10 !")
    gold = rows("A film like any other", name="gold")
    assert sifted(new, validation=gold, script=True).rejected.tolist() == ["", "other script", "other script", ""]
    assert main_script("映画") == main_script("カタカナ") == "CJK"
    assert sifted(new, validation=rows("Кино", "映画", "film"), script=True).rejected.tolist() == [""] * 4


def test_what_is_no_question_among_questions():
    gold = rows(*(f"What is number {n}?" for n in range(20)), name="gold")
    new = rows("Who built it?", "It was built.", "谁建的？", "Hi David,")
    said = ["", "no question mark", "", "no question mark"]
    assert sifted(new, validation=gold, question=True).rejected.tolist() == said
    gold.loc[0, "text"] = "It was built."
    assert sifted(new, validation=gold, question=True).rejected.tolist() == said, "one of twenty proves nothing"
    gold.loc[1, "text"] = "It was built."
    assert not any(sifted(new, validation=gold, question=True).rejected)


@pytest.mark.parametrize(
    "lead_in", ["Voici une critique {n} :\n", "यहाँ एक समीक्षा है: ", "影评：\n", "**Hier ist sie**\n\n"]
)
def test_lead_ins_of_any_language(lead_in):
    plain = [f"Film {word} was fine: I liked it." for word in WORDS[:15]]
    new = rows(*plain, *(lead_in.format(n=n) + text for n, text in enumerate(plain[:5])))
    gold = rows("One film: it was fine.", name="gold")
    assert sifted(new, validation=gold, lead_in=True).rejected.tolist() == [""] * 15 + ["lead-in"] * 5
    few = rows(*new.text[:19])
    assert not any(sifted(few, validation=gold, lead_in=True).rejected), "four that begin alike may be chance"
    gold = rows(lead_in.format(n=7) + "It was fine.", name="gold")
    assert not any(sifted(new, validation=gold, lead_in=True).rejected), "gold rows begin so, too"


@pytest.mark.parametrize(
    "text",
    [
        LONG.upper(),
        f"Before it, {' '.join(WORDS[2:15])}; and after.",
        LONG.replace("sing", "sing."),
        LONG.replace("the film", "a film").replace("flat", "flat,"),
        "the film was long and its last scene fell flat",  # all of a shorter text, ten words
    ],
)
def test_what_a_held_out_row_would_recognise_never_enters(text):
    for split in ("test", "selection"):
        found = sifted(rows(text), **{split: rows(LONG, name="held")})
        assert (found.rejected.tolist(), found.twin.tolist()) == ([f"also in {split}"], ["held-0"])
    told = sifted(rows(text), validation=rows(LONG, name="held"))
    assert (told.rejected.tolist(), told.quoted.tolist()) == ([""], ["held-0"]), "against validation it is only told"


def test_seven_words_are_no_quotation():
    assert sifted(rows(" ".join(WORDS[:7]), "was long"), test=rows(LONG)).rejected.tolist() == ["", ""]


def test_selection_rows_that_are_mined_as_well_are_no_secret():
    gold = rows(LONG, name="gold")
    found = sifted(rows(LONG), validation=gold, selection=gold)
    assert (found.rejected.tolist(), found.quoted.tolist()) == ([""], ["gold-0"])


def test_what_pairs_hold_against_test_is_what_the_teacher_wrote():
    test = pd.DataFrame({"id": ["t"], "premise": [LONG], "hypothesis": ["It fell flat."], "label": "a"})
    new = {"id": list("xyz"), "premise": ["p", LONG, "p"], "hypothesis": [LONG, "It fell, flat!", "It fell flat."]}
    new = pd.DataFrame({**new, "label": "b", "parent": "", "prompt": "hash", "rejected": ""})
    assert sifted(new, test=test, task=PAIRS).rejected.tolist() == ["", "also in test", ""]


@given(new=st.lists(sentences, max_size=12), held=st.lists(sentences, max_size=12))
@settings(derandomize=True, deadline=None)
def test_no_kept_row_shares_thirteen_words_with_a_held_out_one(new, held):
    def grams(text):
        words = text.split()
        return {tuple(words[at : at + 13]) for at in range(len(words) - 12)}

    hidden = set().union(*map(grams, held))
    for row in sifted(rows(*new), test=rows(*held)).itertuples():
        if not row.rejected:
            assert not grams(row.text) & hidden
            assert row.text not in held
        elif grams(row.text):
            assert len(row.text.split()) >= 8


@given(st.lists(sentences, max_size=9), st.lists(sentences, max_size=9))
@settings(derandomize=True, deadline=None)
def test_leaks_are_mutual(one, other):
    first, second = Rows(rows(*one), TASK), Rows(rows(*other), TASK)
    assert bool(list(leaks(first, second))) == bool(list(leaks(second, first)))


def test_nothing_of_the_size_of_nothing():
    none = Rows(rows(), TASK)
    assert list(leaks(none, none)) == list(twins(none, none, [], 0.8, among=True)) == []


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


def test_what_an_llm_gets_wrong_is_counted_kept_and_not_learned(fresh, server):
    """Test rows, duplicates, refusals and the like as answers to seed prompts; copies of the errors afterwards."""

    def run(stage, *words):
        fresh.stage(stage, "reviews", *words, OPENAI_API_KEY="none")

    endpoint = server.space()
    fresh.set({"teacher.provider": "openai", "asking.base_url": endpoint.url, "asking.concurrency": 1})
    fresh.set({"teacher.attempts": 1, "method.rationales": False, "task.reviews.seed_rows": 22})
    fresh.set({"method.replacements": 0.0})
    fresh.stage("gold", "reviews")
    gold = {
        split: table.read(fresh.folder / f"data/reviews/gold/{split}.parquet").text
        for split in ("validation", "selection", "test")
    }
    quoted = max(gold["test"], key=len)
    good = [
        "A tale of two brothers who never once talk to each other.",
        "Loud, quick and silly; my sons want it again.",
    ]
    texts = [
        *good, good[0].upper(), good[0].replace(".", "!"), gold["test"][0], gold["selection"][0] + " Really.",
        f"Somebody wrote: {' '.join(quoted.split()[:14])}", "I'm sorry, but I can't write that review.",
        "Фильм скучный, и конец у него глупый.", "long " * 900, "Bad, bad.",
    ]  # fmt: skip
    endpoint.tell(texts=texts)
    for words in ("rationales", "seed", "combine 0", "train 0", "mine 0"):
        run(*words.split())
    metrics = fresh.folder / "metrics/reviews"
    expected = {
        "also in selection": 2, "also in test": 4, "duplicate": 5, "near duplicate": 1, "other script": 2,
        "refusal": 2, "too long": 2, "too short": 2,
    }  # fmt: skip
    told = json.loads((metrics / "round0/combine.json").read_text())
    endpoint.tell(echo="Yes.", texts=[])
    run("extrapolate", "0")
    run("combine", "1")
    later = json.loads((metrics / "round1/combine.json").read_text())
    mined = json.loads((metrics / "round0/mine.json").read_text())["mined"]
    train = table.read(fresh.folder / "data/reviews/round1/train.parquet")
    rejected = table.read(fresh.folder / "data/reviews/round0/rejected.parquet")
    assert told["rejected"] == expected
    assert rejected.rejected.value_counts().to_dict() == expected
    assert set(rejected.stage[rejected.rejected == "refusal"]) == {"seed"}
    assert set(rejected.stage[rejected.rejected != "refusal"]) == {"start"} and "stage" not in train
    assert later["rejected"].get("copy of its error", 0) > 0.8 * mined > 0
    hidden = set(gold["test"]) | set(gold["selection"])
    assert not set(train.text) & hidden
    assert set(good) <= set(train.text)
