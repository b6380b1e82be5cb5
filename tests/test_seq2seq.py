"""Tasks whose students write texts: gold rows, what sources mean, which answers are taken, and how texts are scored."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import UserError
from synthesis.measures.scores import score_splits
from synthesis.method import mining, mixing
from synthesis.params import Method
from synthesis.params import Task as Settings
from synthesis.tasks import generation, meanings, seq2seq
from synthesis.teacher.prompt import Prompt
from synthesis.teacher.request import Request


def task(writes: str | None = "target", metric: str | None = "chrf", **gold) -> seq2seq.Task:
    source = {"source": "s", "test": None, "columns": {}, "labels": {}, "budget": None, "test_rows": 1}
    section = {"kind": "seq2seq", "gold": source | {"overlap": "drop"} | gold, "seed_rows": 1, "templates": None}
    return seq2seq.Task("t", Settings.model_validate(section | {"writes": writes, "metric": metric}))


TASK, QA = task(), task("source", "exact_match")
METHOD = Method.model_construct(score_below=None)
TRIPLES = 'Alan_Bean | birthPlace | Wheeler,_Texas && Alan_Bean | birthDate | "1932-03-15"'
ACTS = "service: Events_2 | user: I want a game. | acts: OFFER(event_name = Giants vs Brewers); INFORM(free = True)"


# What sources mean


@pytest.mark.parametrize(
    ("source", "form", "parts", "values"),
    [
        (TRIPLES, "triples", 2, ("Alan Bean", "Wheeler, Texas", "1932-03-15")),
        ('A | b | "7.9 (kilograms)"^^xsd:double', "triples", 1, ("A", "7.9")),
        ("K2_(band) | genre | \"Rock\"@en", "triples", 1, ("K2", "Rock")),
        (ACTS, "acts", 2, ("Giants vs Brewers",)),
        ("REQUEST(city); REQUEST(date)", "acts", 2, ()),
        ("OFFER(title = Dogman / High Life); INFORM_COUNT(count = 2)", "acts", 2, ("Dogman", "High Life", "2")),
        ("OFFER(dish = Fish (raw); again); GOODBYE()", "acts", 2, ("Fish (raw); again",)),
        ("OFFER_INTENT(intent = BookFlight)", "acts", 1, ()),
        ("CONFIRM(airline = dontcare)", "acts", 1, ()),
        ("who plays ken barlow in coronation street?", "", 0, ()),
        ("a | b && c", "", 0, ()),
        ("Call me (soon)", "", 0, ()),
        ("", "", 0, ()),
    ],
)  # fmt: skip
def test_sources_are_read(source, form, parts, values):
    meaning = meanings.read(source)
    assert (meaning.form, meaning.parts, meaning.values) == (form, parts, values)


WORD = st.from_regex(r"[A-Z][a-z]{3,8}", fullmatch=True)
VALUE = st.lists(WORD, min_size=1, max_size=3).map(" ".join)


@given(st.lists(st.tuples(VALUE, WORD, VALUE), min_size=1, max_size=5))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_triples_are_read_back(triples):
    source = " && ".join(f"{s.replace(' ', '_')} | {p} | {o.replace(' ', '_')}" for s, p, o in triples)
    meaning = meanings.read(source)
    assert (meaning.form, meaning.parts) == ("triples", len(triples))
    assert set(meaning.values) == {value for s, _, o in triples for value in (s, o)}
    text = "; ".join(f"{s} has {o}" for s, _, o in triples)
    assert not meanings.lost(source, text) and not meanings.invented(source, text)


@given(st.lists(st.tuples(WORD, st.from_regex(r"[a-z]{2,6}(_[a-z]{2,6})?", fullmatch=True), VALUE), min_size=1))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_acts_are_read_back(acts):
    meaning = meanings.read("acts: " + "; ".join(f"{act}({slot} = {value})" for act, slot, value in acts))
    assert (meaning.form, meaning.parts) == ("acts", len(acts))
    said = {value for _, slot, value in acts if slot != "intent" and value.lower() not in meanings.BINARY}
    assert set(meaning.values) == said


@given(st.text(max_size=80), st.text(max_size=80))
@settings(derandomize=True, deadline=None)
def test_any_source_and_text_are_compared(source, text):
    meaning = meanings.read(source)
    assert set(meanings.lost(source, text)) <= set(meaning.values)
    assert set(meanings.unsaid(source, text)) <= set(meaning.values)
    assert meanings.lost(source, source) == [] or meaning.form
    assert all(found in text for found in meanings.invented(source, text))


def test_a_long_text_is_read_in_no_time():
    started = time.perf_counter()
    assert meanings.read("an article of many words " * 4_000).form == ""
    assert time.perf_counter() - started < 2, "and not in a minute"


@pytest.mark.parametrize(
    ("source", "text", "lost", "invented"),
    [
        (TRIPLES, "Alan Bean, of Wheeler in Texas, was born on March 15th, 1932.", [], []),
        (TRIPLES, "Alan Bean was born in Wheeler.", ["1932-03-15"], []),
        (TRIPLES, "Alan Bean was born in Wheeler in 1932 and joined NASA in 1963.", [], ["1963", "NASA"]),
        ("X | country | United_States", "X is American.", [], []),
        ("X | country | United_States", "X is in the U.S.", [], []),
        ("Kovač | people | Turkey", "Kovac is Turkish.", [], []),
        ("X | area | 2500.0 (metres)", "X has 2,500 metres.", [], []),
        ("X | children | 3", "X has three children.", [], []),
        (ACTS, "I found the game Giants vs Brewers.", [], []),
        (ACTS, "I found a game. It is at Oracle Park.", ["Giants vs Brewers"], ["Oracle", "Park"]),
    ],
)
def test_values_that_are_lost_or_invented(source, text, lost, invented):
    assert (meanings.lost(source, text), meanings.invented(source, text)) == (lost, invented)


# Gold rows


def gold(targets: list, sources: list | None = None, of: seq2seq.Task = TASK) -> tuple[pd.DataFrame, dict]:
    rows = pd.DataFrame({"source": sources or ["s"] * len(targets), "target": pd.Series(targets, dtype=object)})
    return of.settle(of.check_gold(rows.set_axis(range(1, len(rows) + 1)), "gold.csv", None), "gold.csv")


def test_rows_of_a_source_become_one_with_all_references():
    rows, counts = gold(["one", ["two", "three"], "one", "x"], ["A  b", "a B", "a b", "c"])
    assert rows.source.tolist() == ["A  b", "c"]
    assert rows.target.tolist() == ["one", "x"] and rows.references.tolist() == [["one", "two", "three"], ["x"]]
    assert counts == {"duplicates": 1, "merged": 1}


@pytest.mark.parametrize(
    ("target", "references"),
    [
        ("a", ["a"]),
        (["a", "b", "a"], ["a", "b"]),
        (np.array(["a", "b"], dtype=object), ["a", "b"]),
        (["", "a", None, " "], ["a"]),
    ],
)
def test_targets_in_every_form(target, references):
    rows, _ = gold([target])
    assert rows.references.tolist() == [references] and rows.target.tolist() == references[:1]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("", "gold.csv row 1: the target is empty, and there is nothing to learn of such a source"),
        ([], "gold.csv row 1: the target is empty"),
        ([" ", None], "gold.csv row 1: the target is empty"),
        (None, "gold.csv row 1: the target is empty"),
        (1931, "gold.csv row 1: the target is 1931, which is not a text"),
        ([["a"]], "gold.csv row 1: the target is ['a'], which is not a text"),
        ("a\0", "gold.csv row 1: the target holds a NUL character"),
    ],
)
def test_a_target_that_is_none_is_told(target, said):
    with pytest.raises(UserError) as error:
        gold([target])
    assert str(error.value).startswith(said) and "\n" not in str(error.value)


def test_lists_that_have_become_texts_are_told(capsys):
    gold(["['one', 'two']", '["three"]'], ["s", "r"])
    assert "every target is a text in brackets, such as ['one', 'two'], and is learned" in capsys.readouterr().err
    gold(["[one]", "two"], ["s", "r"])
    assert capsys.readouterr().err == ""


def test_sources_without_a_target_may_be_left_out():
    rows, _ = gold(["", "a", []], ["x", "y", "z"], task(unanswerable="drop"))
    assert rows.source.tolist() == ["y"]
    assert gold([""], ["x"], task(unanswerable="drop"))[0].empty


def test_values_that_no_reference_has_are_counted():
    rows, _ = gold(["Alan Bean was born.", "Wheeler in 1932.", "Alan of Wheeler"], [TRIPLES, TRIPLES, f"{TRIPLES} "])
    assert TASK.remarks(rows) == {"values_in_no_reference": 0}
    rows, _ = gold(["Alan Bean was born."], [TRIPLES])
    assert TASK.remarks(rows) == {"values_in_no_reference": 1}


def test_types_of_sources():
    sources = [
        TRIPLES,
        "A | b | C",
        ACTS,
        "GOODBYE()",
        "when was it built?",
        "who won",
        "The mill of Zell, which burned",
        "The mill of Zell burned",
        "Did it burn?",
    ]
    types = ["2 triples", "1 triple", "2 acts", "GOODBYE", "when", "who", "text", "text", "other"]
    assert TASK.strata(pd.DataFrame({"source": sources})).tolist() == types


def test_a_new_task_with_short_targets_is_about_answers():
    assert TASK.new_settings(pd.DataFrame({"target": [["Rome", "Roma"], ["1931"]]}))["metric"] == "exact_match"
    assert task(None, None).new_settings(pd.DataFrame({"target": ["It was built in Rome in 1931."]})) == {
        "writes": "target",
        "metric": "chrf",
    }


# Answers


def reason(of: seq2seq.Task, text: str, **slots) -> str | None:
    return of.check(text, Request("seed", " ".join(map(str, slots.values())), slots))[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Alan Bean was born in Wheeler in 1932.", None),
        ("Alan Bean was born in Wheeler.", "values lost"),
        ("Alan Bean was born in Wheeler in 1932, near Dallas.", "values invented"),
        (TRIPLES, "target equals its source"),
        (f"{TRIPLES}.", "target equals its source"),
        (f"{TRIPLES} and more", "target in the form of its source"),
        ("Alan_Bean was born in Wheeler in 1932.", "target in the form of its source"),
        ('"Alan Bean, 1932, Wheeler', "stray quote"),
    ],
)
def test_targets(text, told):
    assert reason(TASK, text, source=TRIPLES) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Rome (the city) at 7? Which date?", None),
        ("OFFER(city) Rome 7", "target in the form of its source"),
        ("The city = Rome, at 7.", "target in the form of its source"),
        ("The first_city is Rome, at 7.", "target in the form of its source"),
    ],
)
def test_targets_of_acts(text, told):
    assert reason(TASK, text, source="OFFER(city = Rome); OFFER(time = 7); REQUEST(date)") == told


def test_a_target_is_no_copy_of_what_the_prompt_shows():
    slots = {"source": "a mill", "target": "It is a mill.", "predicted": "A house."}
    assert reason(TASK, "it is a MILL", **slots) == "equals the row that it should extrapolate"
    examples = [{"source": "x", "target": "A river."}]
    assert reason(TASK, "a river", source="a mill", examples=examples) == "equals an example"
    assert reason(TASK, "A mill, it is.", **slots) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("who built the bridge?", None),
        ("was it Ada Holm who built the bridge?", "answer in the question"),
        ("Ada Holm", "target equals its source"),
    ],
)
def test_sources(text, told):
    assert reason(QA, text, target="Ada Holm") == told


BOTH = task("both")


@pytest.mark.parametrize(
    ("text", "told", "source", "target"),
    [
        ("A | b | Cid => A has Cid.", None, "A | b | Cid", "A has Cid."),
        ("Source: A | b | Cid\n\nTarget: A has Cid.", None, "A | b | Cid", "A has Cid."),
        ("A | b | Cid", "no target", "A | b | Cid", ""),
        ("A | b | Cid => A has Cid. => B", "several targets", "A | b | Cid", "A has Cid. => B"),
        ("A | b | Cid => A is big.", "values lost", "A | b | Cid", "A is big."),
        ("It has a text => A has Cid.", "other form of source", "It has a text", "A has Cid."),
    ],
)
def test_sources_with_their_targets(text, told, source, target):
    shown = {"source": TRIPLES, "target": "Alan Bean was born in Wheeler in 1932.", "predicted": "x"}
    assert reason(BOTH, text, **shown) == told
    assert BOTH.complete({}, text) == {"source": source, "target": target}


@given(text=st.text(max_size=60), source=st.text(max_size=60), target=st.text(max_size=60))
@settings(derandomize=True, deadline=None)
def test_any_answer_is_judged_and_left_as_it_is(text, source, target):
    for of in (TASK, QA, BOTH):
        said, why = of.check(text, Request("extrapolate", source + text, {"source": source, "target": target}))
        assert said == text and (why is None or isinstance(why, str))
        assert set(of.complete({"source": source, "target": target}, text)) == {"source", "target"}


def test_a_blind_answer_may_be_worded_otherwise():
    row = {"source": "who?", "target": "the Ada Holm"}
    assert QA.judge("Ada Holm.", row, []) == {"target": "the Ada Holm"} and QA.judge("Ben", row, []) is None


@pytest.mark.parametrize(("name", "writes"), [("webnlg", "target"), ("sgd", "target"), ("webquestions", "source")])
@pytest.mark.parametrize("variant", ["s3", "short"])
def test_prompts_show_their_data_as_it_is(name, writes, variant):
    of, row = task(writes), {"source": "{{ x }} {% raw %}", "target": "“T”\n", "predicted": "P"}
    slots = {"seed": of.seed_slots(row), "extrapolate": of.error_slots(row), "verify": of.blind_slots(row, [])}
    for step, shown in slots.items():
        prompt = Prompt.load(f"prompts/{name}/{variant}/{step}.md", of.variables[step], of.required[step])
        text, used = prompt.render(shown)
        assert of.required[step] <= set(used) and all(row[slot].strip() in text for slot in used)


@pytest.mark.parametrize("writes", ["target", "source", "both"])
@pytest.mark.parametrize("variant", ["full", "short"])
def test_prompts_to_start_from_show_examples(writes, variant):
    of = task(writes)
    folder = "_".join(["prompts/_new/seq2seq", *of.writes])
    for step in of.variables:
        prompt = Prompt.load(f"{folder}/{variant}/{step}.md", of.variables[step], of.required[step])
        if step == "seed":
            shown = {"source": "S", "target": "T", "examples": [of.example({"source": "sss", "target": "ttt"})]}
            text, _ = prompt.render(shown)
            assert "sss" in text and "ttt" in text


# Scores


def predictions(of: seq2seq.Task, source: str, references: list[str], *texts: str) -> pd.DataFrame:
    count = len(texts)
    rows = pd.DataFrame({"id": list(map(str, range(count))), "source": [source] * count})
    rows = rows.assign(target=references[0], references=[references] * count)
    return of.predictions(rows, [(text, 0.5) for text in texts], [])


def test_scores_of_texts():
    shown = predictions(TASK, "s", ["The mill burned down.", "It burned."], "It burned.", "A house.", "")
    scores = TASK.scores(shown)
    assert list(scores) == ["chrf", "bleu", "rouge_l"]
    assert scores.iloc[0].tolist() == pytest.approx([1, 1, 1]) and scores.iloc[2].tolist() == [0, 0, 0]
    assert TASK.wrong(shown, METHOD).tolist() == [False, True, True]
    assert TASK.wrong(shown, Method.model_construct(score_below=0.01)).tolist() == [False, False, True]
    assert list(task(metric="rouge_l").scores(shown)) == ["rouge_l", "chrf", "bleu"]


def test_scores_of_answers_are_those_of_any_alias():
    shown = predictions(QA, "who?", ["Ada Holm", "A. Holm"], "Holm, Ada", "Ada", "the ADA HOLM")
    scores = QA.scores(shown)
    assert list(scores) == ["exact_match", "f1"] and scores.exact_match.tolist() == [0, 0, 1]
    assert QA.wrong(shown, METHOD).tolist() == [True, True, False]
    assert QA.corpus_scores(shown) == {}
    assert QA.mistakes(shown[:2]).tolist() == ["beside it", "too short"]
    assert (QA.paired_test, task(metric="f1").paired_test) == ("sign_flip", "bootstrap")


def test_the_slot_error_rate_counts_texts_that_lack_a_value():
    """Kale and Rastogi (2020): the share of texts with a missing value, word for word; true and false do not count."""
    shown = predictions(TASK, ACTS, ["x"], "See GIANTS vs  Brewers!", "See the Giants.", "Giants vs Brewerstown")
    assert TASK.scores(shown).slot_error.tolist() == [0, 1, 1]
    assert "slot_error" not in TASK.scores(predictions(TASK, TRIPLES, ["x"], "y"))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "nothing"),
        ("go on and on " * 9, "repeats itself"),
        ("He was born in Wheeler.", "values lost"),
        ("Alan Bean, Wheeler, 1932, Mars", "values invented"),
        ("Alan, Wheeler, 1932", "too short"),
        ("Alan Bean, who is spoken of, was in 1932 born, as can be read, somewhere within Wheeler", "too long"),
        ("Wheeler in 1932 saw how Alan began", "worded otherwise"),
    ],
)
def test_mistakes_of_texts(text, mistake):
    shown = predictions(TASK, TRIPLES, ["Alan Bean was born in Wheeler in 1932."], text)
    assert TASK.mistakes(shown).tolist() == [mistake]


TEXT = st.text(alphabet="ab cd.,é", max_size=30)
SOME = st.lists(TEXT.filter(str.strip), min_size=1, max_size=3)


@given(TEXT, SOME)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_a_score_is_the_library_s_own(text, references):
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu import sentence_chrf
    from sacrebleu.metrics import BLEU

    assert generation.chrf(text, references) == pytest.approx(
        sentence_chrf(text, references, word_order=2).score / 100, abs=1e-9
    )
    bleu = BLEU(effective_order=True).sentence_score(text, references).score / 100
    assert generation.bleu(text, references) == pytest.approx(min(1, bleu), abs=1e-9)
    plain, theirs = text.replace("é", "e"), [each.replace("é", "e") for each in references]
    official = RougeScorer(["rougeL"]).score_multi(theirs, plain)["rougeL"].fmeasure
    assert generation.rouge_l(plain, theirs) == pytest.approx(official, abs=1e-9)


@given(SOME)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_a_score_is_one_for_a_reference_and_more_references_lower_none(references):
    for metric in (generation.chrf, generation.rouge_l):
        assert 0 <= metric("ab cd", references[:1]) <= metric("ab cd", references) <= 1
    assert generation.chrf(references[-1], references) == pytest.approx(1)


def test_corpus_scores_are_sacrebleu_s_and_their_intervals_cover_them():
    from sacrebleu.metrics import BLEU, CHRF

    random = np.random.default_rng(1)
    references = [[" ".join(random.choice(list("abcdefg"), 8)) for _ in range(1 + i % 3)] for i in range(80)]
    texts = [each[-1].replace("a", "x") for each in references]
    streams = [[each[at] if at < len(each) else None for each in references] for at in range(3)]
    found = generation.corpus(texts, references)
    for name, metric in {"bleu": BLEU(), "chrf": CHRF(word_order=2)}.items():
        assert found[name]["score"] == pytest.approx(metric.corpus_score(texts, streams).score / 100, abs=1e-4)
        assert found[name]["signature"] == str(metric.get_signature())
        assert found[name]["low"] < found[name]["score"] < found[name]["high"]


def test_corpus_scores_are_the_mean_over_training_seeds():
    good = predictions(TASK, "s", ["The mill of Zell burned down."], "The mill of Zell burned down.")
    bad = predictions(TASK, "s", ["The mill of Zell burned down."], "Yes?")
    shown = pd.concat([good.assign(seed=0), bad.assign(seed=1)]).assign(split="test")
    found = score_splits(TASK, shown)["test"]["corpus"]["chrf"]
    alone = [generation.corpus([text], [["The mill of Zell burned down."]])["chrf"]["score"] for text in (
        "The mill of Zell burned down.", "Yes?")]  # fmt: skip
    assert found["score"] == pytest.approx(np.mean(alone), abs=1e-3)


def test_gold_rows_are_learned_with_all_references():
    gold_rows, _ = gold(["one", "two"])
    gold_rows.insert(0, "id", ["g1"])
    synthetic = pd.DataFrame({"id": ["s1"], "source": ["s"], "target": ["three"], "round": [0]})
    rows = mixing.mix("both", TASK, synthetic, gold_rows, seed=1).rows
    assert TASK.goals(rows) == [["three"], ["one", "two"]] and TASK.inputs(rows) == ["s", "s"]


def test_the_worst_error_is_mined_first():
    rows, _ = gold(["The mill burned down."] * 3, ["a", "b", "c"])
    rows.insert(0, "id", ["a", "b", "c"])
    shown = TASK.predictions(rows, [("The mill burned.", 0.5), ("No.", 0.5), ("The mill", 0.5)], [])
    run = type("Run", (), {"task": TASK, "params": type("P", (), {"method": Method.model_construct(score_below=0.9)})})
    findings = mining.Findings(0, shown, rows, rows, rows, [], rows)
    assert mining.errors(run, findings).id.tolist() == ["b", "c", "a"]


def test_targets_that_many_sources_share_are_no_leak():
    from synthesis.filters import held_out
    from synthesis.filters.rows import Rows

    long = "Is there anything else that I can do for you today?"
    test = Rows(pd.DataFrame({"id": ["t"], "source": ["REQ_MORE()"], "target": [long]}), TASK)
    new = pd.DataFrame(
        {"id": ["n", "m"], "source": ["user: no | acts: REQ_MORE()", "REQ_MORE()"], "target": [long] * 2}
    )
    assert [place for place, _ in held_out.leaks(Rows(new, TASK), test)] == [1]
    sources = task("source")
    written = pd.DataFrame({"id": ["n"], "source": [f"{long} A"], "target": ["x"]})
    theirs = pd.DataFrame({"id": ["t"], "source": [long], "target": ["y"]})
    assert [place for place, _ in held_out.leaks(Rows(written, sources), Rows(theirs, sources))] == [0]


def test_a_tuned_teacher_may_not_repeat_any_reference():
    """It has learned them all."""
    from synthesis.filters import held_out
    from synthesis.filters.rows import Rows

    references = ["Alan Bean was born in Wheeler.", "Wheeler is where Alan Bean was born."]
    row = {"id": "v", "source": TRIPLES, "target": references[0], "references": np.array(references, dtype=object)}
    said = [*references, "Wheeler is where Alan Bean was born!", "Bean, Alan: of Wheeler."]
    new = pd.DataFrame({"id": list("abcd"), "source": TRIPLES, "target": said, "prompt": "asked"})
    found = held_out.copies(Rows(new, TASK), Rows(pd.DataFrame([row]), TASK))
    assert list(found) == [(place, "copies a gold row", "v") for place in (0, 1, 2)]


def test_a_held_out_source_is_recognised_whatever_is_said_of_it():
    from synthesis.filters import held_out
    from synthesis.filters.rows import Rows

    def rows(name: str, *pairs: tuple[str, str]) -> Rows:
        table = pd.DataFrame(pairs, columns=["source", "target"])
        return Rows(table.assign(id=[f"{name}{place}" for place in range(len(table))]), TASK)

    gold = {"test": rows("t", ("Who wrote it?", "Ann Lee")), "selection": rows("s", ("Where is it?", "Rome"))}
    gold["validation"] = rows("v", ("Whose is it?", "Bob's"))
    new = rows("n", ("who  wrote it?", "A. Lee"), ("Where is it?", "In Italy"), ("Whose is it?", "It is Bob's"))
    assert list(held_out.find(new, gold)) == [(0, "also in test", "t0"), (1, "also in selection", "s0")]
    gold["validation"] = gold["selection"]  # protocol `paper`: what is mined is no secret
    assert list(held_out.find(new, gold)) == [(0, "also in test", "t0")]
