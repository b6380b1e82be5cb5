"""Cleaning answers: what goes, and what has to stay."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.teacher.cleaning import clean, parse_list, verdict

REVIEW = "It was slow, but I'd watch it again."


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "  {}\n",
        '"{}"',
        "“{}”",
        "'{}'",
        "‘{}’",
        "«{}»",
        "Sure, here is a review: {}",
        'Sure! Here\'s one:\n\n"{}"',
        "Certainly!\n\n{}",
        "Of course. Here is a positive movie review:\n{}",
        "Here's the movie review you asked for:\n\n{}",
        "Here is an example of a negative review: {}",
        "Review: {}",
        "**Review:** {}",
        "**Movie review**: {}",
        "Movie Review 1: {}",
        "Sentence: {}",
        "1. {}",
        "1) {}",
        "- {}",
        "* {}",
        "```\n{}\n```",
        "```text\n{}\n```",
        "PROMPT\n{}",
        "PROMPT {}",
        "<think>\nThey want a review.\n</think>\n\n{}",
        'Okay! Below is a review:\n1. "{}"',
    ],
)
def test_what_surrounds_an_answer_goes(frame):
    assert clean(frame.format(REVIEW), "PROMPT") == REVIEW


@pytest.mark.parametrize(
    "text",
    [
        '"Good" is what I say, "bad" is what she says.',
        "'Good' or 'bad'?",
        '"Unfinished',
        "“One” and “two”",
        "Here's the thing: it is bad.",
        "Sure, it was long: too long.",
        "Of course I hated it: who would not?",
        "Absolutely! What a film.",
        "Title: The Night\n\nA fine film.",
        "Question: Who?\nAnswer: Me.",
        "1. The plot\n2. The cast",
        "- one\n- two",
        "10/10 would watch again",
        "1.5 hours of my life",
        "*** out of five",
        "The end is `weak`",
        "- No.\n- Yes!",
        "Okay: fine.",
        "Premise: A dog runs.\nHypothesis: An animal moves.",
    ],
)
def test_what_belongs_to_an_answer_stays(text):
    assert clean(text, "PROMPT") == text


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, but I can’t help with that request.",
        "Sorry, I cannot help you.",
        "I cannot fulfill this request.",
        "As an AI language model, I have no opinions.",
        "As an AI, I cannot watch films.",
        "I am unable to create content that is hateful.",
        "I apologize, but I cannot provide a negative review.",
        "Unfortunately, I am unable to generate this.",
        "I must decline.",
        "I'm an AI assistant and do not watch films.",
    ],
)
def test_refusals(text):
    assert verdict(text, "stop", 2) == "refusal"


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't recommend this film.",
        "I'm sorry I wasted two hours.",
        "I can't help but love it.",
        "I cannot write enough good things about it.",
        "As an AI thriller it works.",
        "I'm afraid it is dull.",
        "Unfortunately, I cannot say a good word about it.",
        "Sorry, I can't finish this.",
        "I won't watch it again.",
        "card arrived?",
        "Top up failed",
        "卡在哪里",
    ],
)
def test_no_refusals(text):
    assert verdict(text, "stop", 2) is None


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("", "stop", "empty"),
        ("", "length", "empty"),
        ("This is the text that I'd like you to submit:", "stop", "empty"),
        ("A fine film that", "length", "length"),
        ("Fine", "stop", "short"),
        ("!!! ...", "stop", "short"),
        ("A fine film.", "content_filter", "content_filter"),
        ("No.", "refusal", "refusal"),
    ],
)
def test_reasons(text, finish, reason):
    assert verdict(text, finish, 2) == reason


def test_a_list_may_end_with_a_colon():
    assert verdict("1. Acting:\n2. Plot:", "stop", 2) is None


def test_one_word_may_be_enough():
    assert verdict("Fine", "stop", 1) is None


@given(st.text(), st.text())
def test_cleaning_is_done_after_once(text, prompt):
    once = clean(text, prompt)
    assert clean(once, "") == once or clean(once, prompt) == once
    assert once in text and once == once.strip()


@given(st.text())
def test_no_answer_breaks_the_rules(text):
    verdict(text, "stop", 2)
    items = parse_list(text)
    assert len({item.casefold() for item in items}) == len(items) and all(item == item.strip() != "" for item in items)


STYLES = {
    "1. foo": lambda i, item: f"{i}. {item}",
    "1) foo": lambda i, item: f"{i}) {item}",
    "(1) foo": lambda i, item: f"({i}) {item}",
    "- foo": lambda i, item: f"- {item}",
    "* foo.": lambda i, item: f"* {item}.",
    "• foo": lambda i, item: f"• {item}",
    "a. foo": lambda i, item: f"{chr(96 + i)}. {item}",
    "(b) foo": lambda i, item: f"({chr(96 + i)}) {item}",
    "bold": lambda i, item: f"{i}. **{item}**",
    "bold, explained": lambda i, item: f"{i}. **{item}**: the reasons vary.",
    "bold colon": lambda i, item: f"{i}. **{item}:** the reasons vary.",
    "bold dash": lambda i, item: f"- **{item}** - the reasons vary",
    "all bold": lambda i, item: f"**{i}. {item}**",
    "explained": lambda i, item: f"{i}. {item}: the reasons vary.",
    "dash": lambda i, item: f"{i}. {item} – the reasons vary.",
    "Reason 1:": lambda i, item: f"Reason {i}: {item}",
    "quoted": lambda i, item: f'{i}. "{item}"',
    "indented": lambda i, item: f"   {i}. {item}",
    "plain": lambda i, item: item,
}
PHRASE = st.from_regex(r"[b-n][a-z]{1,7}( [a-z]{2,8}){1,3}", fullmatch=True)
PHRASES = st.lists(PHRASE, min_size=2, max_size=12, unique=True)


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=25)
@given(items=PHRASES, intro=st.sampled_from(["", "Here are some reasons:\n\n"]), gap=st.sampled_from(["\n", "\n\n"]))
def test_lists_in_every_style(style, items, intro, gap):
    lines = [STYLES[style](i, item) for i, item in enumerate(items, 1)]
    assert parse_list(intro + gap.join(lines)) == items


@pytest.mark.parametrize(
    ("mark", "style"), [("; ", "{}"), (", ", "{}"), (" ", "{i}. {}"), (" ", "{i}) {}"), (" ", "({i}) {}")]
)
@settings(max_examples=25)
@given(items=PHRASES)
def test_lists_in_one_line(mark, style, items):
    assert parse_list(mark.join(style.format(item, i=i) for i, item in enumerate(items, 1))) == items


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("great acting, a strong plot, and fine music.", ["great acting", "a strong plot", "fine music"]),
        ("1. Acting\n   - the cast\n   - the lead\n2. Plot\n   - pace", ["Acting", "Plot"]),
        ("1. Acting\n2. acting.\n3. Plot\n\nI hope this helps!", ["Acting", "Plot"]),
        ("1. A 10/10 cast\n2. It's well-made", ["A 10/10 cast", "It's well-made"]),
        (
            "The film, which my whole family saw twice last week, is good",
            ["The film, which my whole family saw twice last week, is good"],
        ),
        ("1. Only one", ["Only one"]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_lists(text, items):
    assert parse_list(text) == items


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        '{{"reasons": {}}}',
        "```json\n{}\n```",
        "Here are some reasons:\n```json\n{}\n```",
        '{{"result": {{"reasons": {}}}}}',
    ],
)
@pytest.mark.parametrize("item", [str, lambda text: {"reason": text}, lambda text: {"reason": text, "weight": 1}])
def test_a_list_in_json_is_one_where_a_list_was_asked_for(frame, item):
    items = ["the cast is superb", "Kurz, und “gut”", "it ends\nwell; and late"]
    text = frame.format(json.dumps([item(text) for text in items]))
    cleaned = clean(text, "PROMPT", listed=True)
    assert verdict(cleaned, "stop", 1) is None and parse_list(cleaned) == [" ".join(text.split()) for text in items]
    assert verdict(clean(text, "PROMPT"), "stop", 1) == "json"


def test_both_labels_are_cleaned_alike():
    for frame in ('"{}"', "Here is a {} review: {}", "{} review: {}"):
        cleaned = [clean(frame.format(*[label] * frame.count("{}")), "") for label in ("positive", "negative")]
        assert cleaned == ["positive", "negative"]
