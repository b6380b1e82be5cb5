"""Words of any script: distinct sentences are no copies of each other, and words count as readers count them."""

import re
import unicodedata

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.filters.grams import bands, similarity
from synthesis.measures.errors import group_lengths, group_topics
from synthesis.measures.leaks import read_cues
from synthesis.tasks.checks import copied, echo, unasked, words
from synthesis.tasks.words import PART, WORD, normalised
from synthesis.teacher.cleaning import verdict
from synthesis.teacher.request import Request

PAIRS = {  # of distinct sentences, whose letters are the same but for marks, or whose words are
    "Hindi": ("लड़का पानी पी रहा है।", "लड़की पानी पी रही है।"),
    "Bengali": ("মেয়েটি গান গায়।", "মায়াটা গুন গেয়ো।"),
    "Tamil": ("அவன் போனான்.", "அவள் போனாள்."),
    "Thai": ("เขามีบ้านใหม่", "เขามีบ้านไหม้"),
    "Hebrew": ("הַיֶּלֶד אָכַל תַּפּוּחַ", "הַיַּלְדָּה אָכְלָה תַּפּוּחַ"),
    "Arabic": ("كَتَبَ الوَلَدُ رِسالَةً", "كُتُبُ الوُلدِ رَسّالَةٌ"),
    "Burmese": ("သူ စာဖတ်တယ်။", "သူ စာဖိတ်တယ်။"),
    "Khmer": ("គាត់ទៅផ្សារ", "គាត់ទៅផ្សើរ"),
    "Chinese": ("这部电影很好看。", "这部电影很难看。"),
    "Japanese": ("この映画は面白いです。", "この映画は面白くないです。"),
}


@pytest.mark.parametrize("language", PAIRS)
def test_distinct_sentences_are_no_copies(language):
    one, other = PAIRS[language]
    assert copied(one, other, "copy") is None and copied(one, f" {one}! ", "copy") == "copy"
    assert similarity(normalised(one), normalised(other)) < 0.8
    assert (bands([normalised(one)]) != bands([normalised(other)])).any()


def test_accents_in_either_form_are_the_same():
    one = "Une très belle soirée à Besançon"
    other = unicodedata.normalize("NFD", one)
    assert words(one) == words(other) and normalised(one) == normalised(other) and len(words(one)) == 6


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("लड़की पानी पी रही है।", 5),
        ("আমি বাংলায় গান গাই।", 4),
        ("הַיֶּלֶד אָכַל תַּפּוּחַ", 3),
        ("نمی‌دانم چه بگویم", 3),
        ("电影，很好。", 4),
        ("เขามีบ้าน", 7),
        ("한국어를 배워요", 2),
        ("❤️ 👍🏽 👨‍👩‍👧 !", 0),
        ("İzmir is far", 3),
        ("iPhoneを買う", 4),
    ],
)
def test_counts(text, count):
    assert len(words(text)) == count
    assert verdict(text, "stop", count + 1) == "short"
    assert count == 0 or verdict(text, "stop", count) is None


@given(st.text(st.characters(categories=["L", "Nd", "Pc", "Po", "Zs"], max_codepoint=0x2FF)))
@settings(derandomize=True)
def test_texts_without_marks_are_cut_as_ever(text):
    assert WORD.findall(text) == re.findall(r"\w+(?:['’]\w+)*", text.replace("‿", " "))
    assert PART.findall(text) == re.findall(r"\w+", text)


@given(st.text())
@settings(derandomize=True)
def test_any_text_has_words_or_none(text):
    assert all(word and not unicodedata.category(word[0]).startswith(("M", "Z")) for word in words(text))


def test_texts_of_signs_are_copies_only_of_themselves():
    assert copied("👍", "👎", "copy") is None and copied("👍", "👍 ", "copy") == "copy"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Who?", None),
        ("谁？", None),
        ("من أنت؟", None),
        ("ใครมา", None),
        ("誰ですか。", None),
        ("It is.", "no question mark"),
    ],
)
def test_questions(question, reason):
    assert unasked(question) == reason


def test_echoes_in_a_script_without_spaces():
    request = Request("seed", "请写一条关于这个主题的用户留言，语气要自然而且真实。主题：退款", {"label": "退款"})
    assert echo("请写一条关于这个主题的用户留言，语气要自然", request) == "echo of the prompt"
    assert echo("关于这个主题我有话说：语气要自然", request) is None, "short runs are met by chance"


def test_cues_and_groups():
    cues = read_cues(pd.Series(["लड़की पानी पी रही है।", "电影很好"]))
    assert cues.words.tolist() == [5, 4] and cues.marks_a_word.tolist() == [0.2, 0]
    texts = pd.Series(["电影很好看", "电影", "这部电影很好看", "好"])
    assert group_lengths(texts, texts)[0].nunique() > 1
    assert "," in group_topics(texts, texts)[0].iloc[0]
