"""What models and templates write beside a text: it goes, or the answer is rejected with a reason; it never stays."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.teacher.cleaning import clean, verdict
from synthesis.teacher.endings import read_ending

REVIEW = "It was slow, but I'd watch it again."
THOUGHTS = "Okay, they want a review.\nReview: let me think about it."


@pytest.mark.parametrize(
    "finish",
    ["stop", "STOP", "eos", "eos_token", "end_turn", "endTurn", "stop_sequence", "STOP_SEQUENCE", "stop_token",
     "FinishReason.STOP", "FINISH_REASON_STOP", "complete", "COMPLETED", "null", "None", "", None],
)  # fmt: skip
def test_good_ends(finish):
    assert read_ending(finish) == "stop" and verdict(REVIEW, finish, 3) is None


@pytest.mark.parametrize(
    "finish",
    ["length", "LENGTH", "max_tokens", "MAX_TOKENS", "model_length", "max_output_tokens", "REASON_MAX_LEN",
     "model_context_window_exceeded", "FinishReason.MAX_TOKENS"],
)  # fmt: skip
def test_cut_answers(finish):
    assert verdict(REVIEW, finish, 3) == "length"


@pytest.mark.parametrize(
    "finish",
    ["content_filter", "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "guardrail_intervened"],
)
def test_withheld_answers(finish):
    assert verdict(REVIEW, finish, 3) == verdict("", finish, 3) == "content_filter"


@pytest.mark.parametrize(
    "finish",
    ["error", "abort", "insufficient_system_resource", "network_error", "OTHER", "tool_calls", "a new one", "完"],
)
def test_other_ends_are_no_good_ends(finish):
    assert verdict(REVIEW, finish, 3) == f"finish_reason {finish}"


@given(st.text())
@settings(derandomize=True)
def test_any_end_is_read(finish):
    assert re.match("stop$|length$|content_filter$|refusal$|finish_reason ", read_ending(finish))


@pytest.mark.parametrize(
    "frame",
    [
        "<think>{thoughts}</think>\n\n{text}",
        "<thinking>{thoughts}</thinking>{text}",
        "<thought>\n{thoughts}\n</thought>\n{text}",
        "<Reasoning>{thoughts}</Reasoning> {text}",
        "<seed:think>{thoughts}</seed:think>{text}",
        "<think>{thoughts} </think> {thoughts}</think>{text}",
        "<think>{thoughts}</think><think>{thoughts}</think>{text}",
        "[THINK]{thoughts}[/THINK]{text}",
        "◁think▷{thoughts}◁/think▷{text}",
        "<|thinking|>{thoughts}<|/thinking|>{text}",
        "<|begin_of_thought|>{thoughts}<|end_of_thought|><|begin_of_solution|>{text}<|end_of_solution|>",
        "<|START_THINKING|>{thoughts}<|END_THINKING|><|START_RESPONSE|>{text}<|END_RESPONSE|>",
        "<|channel>thought\n{thoughts}<channel|>{text}<turn|>",
        "&lt;think&gt;{thoughts}&lt;/think&gt;{text}",
        '<details type="reasoning" done="true">{thoughts}</details>\n{text}',
        "{thoughts}\n</think>\n\n{text}",
        "{thoughts}</thinking>{text}",
        "{thoughts}[/THINK]{text}",
        "{text}\n<think>{thoughts}</think>",
        "<think>{thoughts}</think><answer>{text}</answer>",
        "<|channel|>analysis<|message|>{thoughts}<|end|><|start|>assistant<|channel|>final<|message|>{text}<|return|>",
        "<|start|>assistant<|channel|>final<|message|>{text}",
        "analysisWe need a review.{thoughts}assistantfinal{text}",
        "Here is my thought process:\n{thoughts}\n\nHere is my response:\n{text}",
        "{text}<|im_end|>",
        "{text}</s>",
        "<s>{text}</s>",
        "{text}<end_of_turn>\n<start_of_turn>user\n{thoughts}",
        "{text}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{thoughts}",
        "{text}<|endoftext|>{thoughts}",
        "{text}<｜end▁of▁sentence｜>",
        "{text} [INST] {thoughts} [/INST]",
        "{text}<|a_new_mark|>",
        "<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>user\n{thoughts}",
        "<|start_header_id|>assistant<|end_header_id|>\n\n{text}<|eot_id|>",
        "{text}\n\nUser: Write another one.\nAssistant: {thoughts}",
        "{text}\nHuman: Write another one.",
        "{text}\n\n### Instruction:\nWrite another one.",
        "Assistant: {text}",
        "assistant\n\n{text}",
        "<|im_start|>assistant<|im_sep|>{text}<|im_end|>",
        "{text}\n\n---\nUser: Write another one.",
        "<think>{thoughts}</think><review>{text}</review>",
        "### Response:\n{text}",
        "<plan>{thoughts}</plan>\n{text}",
        "**Thinking:** {thoughts}\n\n**Answer:** {text}",
        "## Reasoning process:\n{thoughts}\n\n## Final answer:\n{text}",
    ],
)
def test_thoughts_and_marks_go(frame):
    answer = frame.format(text=REVIEW, thoughts=THOUGHTS)
    assert clean(answer, "PROMPT") == REVIEW and verdict(REVIEW, "stop", 3) is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("<think>They want a review, and I", "unfinished thoughts"),
        ("[THINK]They want a review, and I", "unfinished thoughts"),
        ("<think>a</think>Fine. <think>No, wait", "unfinished thoughts"),
        ("<|channel|>analysis<|message|>They want a review.", "unfinished thoughts"),
        ("analysisWe need a review that is", "unfinished thoughts"),
        ("The film <think>or the book?</think> was good, I say.", "thoughts within the text"),
        ("The film <|unknown|> was good, I say.", "control marks"),
        ("<think>They want a review.</think>", "empty"),
        ("<|im_end|>\n<|im_start|>user\nWrite a review.", "empty"),
    ],
)
def test_what_cannot_be_cut_is_rejected(answer, reason):
    assert verdict(clean(answer, "PROMPT"), "stop", 3) == reason


MARKS = [
    "<think>", "</think>", "<thinking>", "</thinking>", "[THINK]", "[/THINK]", "<|im_end|>", "<|im_start|>assistant",
    "<|eot_id|>", "</s>", "<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|end|>", "<|new|>",
    "<end_of_turn>", "<|thinking|>", "<｜end▁of▁sentence｜>", "◁think▷", "◁/think▷",
]  # fmt: skip


@given(st.lists(st.sampled_from([*MARKS, "some words here", "other words there", "\n"]), max_size=7).map(" ".join))
@settings(derandomize=True, max_examples=500)
def test_no_mark_stays_in_a_text(answer):
    text = clean(answer, "PROMPT")
    assert verdict(text, "stop", 1) or not any(mark in text for mark in MARKS)


@pytest.mark.parametrize(
    "text",
    [
        "User: Hello there.\nAssistant: Good morning.",
        "Agent: Hello there.\nUser: I want a refund.",
        "The app crashes.\nUser: admin\nVersion: 3.2",
        "I think <3 of it, and 2 < 3 > 1.",
        "Was <s>bad</s> good.",
        "I had a thought: it is <b>fine</b>.",
        "Analysis paralysis, that is what it was.",
        "Thinking...\nIt was a fine film.",
        "[thinking] What a film.",
        "The user: nobody.",
        "AI: a threat, or hope?",
        "Thoughts: a fine film.\nMy answer: go and see it, twice.",
    ],
)
def test_what_only_looks_like_it_stays(text):
    assert clean(text, "PROMPT") == text and verdict(text, "stop", 3) is None


@pytest.mark.parametrize(
    "frame",
    [
        '{{"review": {json}}}',
        '{{"text": {json}}}',
        '{{\n  "movie review": {json}\n}}',
        '{{"output": {{"text": {json}}}}}',
        "[{json}]",
        '[{{"text": {json}}}]',
        '```json\n{{"review": {json}}}\n```',
        '```json\n{{"review": {json}}}\n```\nI hope that this helps!',
        'Sure, here is the review:\n```json\n{{"review": {json}}}\n```',
        '<think>A review.</think>{{"review": {json}}}',
    ],
)
@given(
    text=st.sampled_from([REVIEW, 'He said "no".\nAnd left.', "Schön, c'était 好看!", "a\\b c d"]), ascii=st.booleans()
)
@settings(derandomize=True)
def test_json_around_one_text_goes(frame, text, ascii):
    assert clean(frame.format(json=json.dumps(text, ensure_ascii=ascii)), "PROMPT") == text


@pytest.mark.parametrize(
    "answer",
    [
        '{"review": "A fine film.", "label": "positive"}',
        '{"review": "A fine film',
        "{'review': 'A fine film.', 'stars': 4}",
        '{"review": 4}',
        '["A fine film.", "A bad film."]',
        '["A fine film',
        '{"reviews": ["A fine film.", "A bad film."]}',
        "[1, 2, 3]",
        "{}",
        "```json\n[1, 2]\n```",
        '{"review": "A fine film."}\nI hope that this helps.',
        '{review: "A fine film."}',
    ],
)
def test_other_json_is_rejected(answer):
    assert verdict(clean(answer, "PROMPT"), "stop", 1) == "json"


@pytest.mark.parametrize(
    "frame",
    ["```\n{}\n```", "```text\n{}\n```", "```{}```", "~~~\n{}\n~~~", "```markdown\n{}", "```\n{}\n```\nShall I go on?"],
)
def test_fences_go(frame):
    assert clean(frame.format(REVIEW), "PROMPT") == REVIEW


@pytest.mark.parametrize(
    "text",
    [
        "Error message: the disk is full.",
        "Subject: my refund",
        "Security question: my mother's name was refused.",
        "Server response: 404, all day long.",
        "Follow-up question: when does it arrive?",
        "Here is the error message: the disk is full.",
        "Here is the message I get: no network.",
        "Okay, here's the deal: it is bad.",
        "Okay, this is what happened: it broke.",
        "{braces} are fine, and so is [deleted] text.",
        "[8/10] would watch again.",
        '"One" and "two".',
    ],
)
@pytest.mark.parametrize(
    "prompt", ["PROMPT", "Write an error, like `Error message: x` or `Here is the error message: y`."]
)
def test_content_that_looks_like_a_lead_in_stays(text, prompt):
    assert clean(text, prompt) == text and verdict(text, "stop", 2) is None


@pytest.mark.parametrize(
    "label",
    [
        "Customer message: {}",
        "Here is the customer message: {}",
        "Message: {}",
        "Here is a message about a refund: {}",
        "Refund message: {}",
        "Sure, here you go: {}",
        "Here is a positive message: {}",
    ],
)
def test_the_prompts_name_of_the_answer_goes(label):
    assert clean(label.format(REVIEW), "Write a customer message about a refund.") == REVIEW
