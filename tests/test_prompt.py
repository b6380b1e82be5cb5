"""Prompt files: checked when they are read, and never fed by what they show."""

import pytest

from synthesis import UserError
from synthesis.teacher.prompt import Prompt


def write(tmp_path, text, name="seed.md"):
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def load(tmp_path, text, allowed=("label", "rationales"), required=("label",)):
    return Prompt.load(write(tmp_path, text), set(allowed), set(required))


def refused(tmp_path, text, **names) -> str:
    with pytest.raises(UserError) as error:
        load(tmp_path, text, **names)
    assert "\n" not in str(error.value) and "seed.md" in str(error.value)
    return str(error.value)


def test_it_shows_its_slots_and_tells_which(tmp_path):
    prompt = load(
        tmp_path, "\n  Write a {{ label }} review.\n{% for r in rationales %}\n- {{ r }}\n{% endfor %}\nNow.\n\n"
    )
    slots = {"label": "good", "rationales": ["a", "b"], "unused": 1}
    assert prompt.render(slots) == ("Write a good review.\n- a\n- b\nNow.", {"label": "good", "rationales": ["a", "b"]})


def test_a_request_knows_its_step_and_only_what_is_shown(tmp_path):
    request = load(tmp_path, "A {{ label }} one.").request({"label": "good", "rationales": []}, sample=2)
    assert (request.step, request.prompt, request.slots, request.sample) == (
        "seed",
        "A good one.",
        {"label": "good"},
        2,
    )


def test_the_shown_text_is_never_a_template(tmp_path):
    prompt = load(tmp_path, "{{ label }}")
    for text in ("{{ 7 * 7 }}", "{% raw %}", "{# x #}", "<b>&amp;</b>", "{'a': {'b': 1}}"):
        assert prompt.render({"label": text})[0] == text


def test_a_loop_variable_and_jinjas_own_names_are_no_slots(tmp_path):
    load(tmp_path, "{% set n = 2 %}{% for i in range(n) %}{{ loop.index }}{{ i }}{% endfor %}{{ label }}")


def test_unknown_and_missing_variables_are_told_at_once_with_those_there_are(tmp_path):
    message = refused(tmp_path, "{{ lable }} {{ other }}")
    for part in ("no `lable`, `other`", "must show `label`", "available: `label`, `rationales`"):
        assert part in message


@pytest.mark.parametrize(("text", "line"), [("a\n{{ label", 2), ("\n{% if label %}{% endfor %}", 2), ("{% nope %}", 1)])
def test_a_syntax_error_names_its_line(tmp_path, text, line):
    assert f"seed.md:{line}: " in refused(tmp_path, text)


def test_an_unknown_filter_is_told(tmp_path):
    assert "shout" in refused(tmp_path, "{{ label | shout }}")


def test_not_utf_8(tmp_path):
    assert "UTF-8" in refused(tmp_path, "é {{ label }}".encode("latin-1"))


def test_a_byte_order_mark_is_no_text(tmp_path):
    assert load(tmp_path, b"\xef\xbb\xbf{{ label }}").render({"label": "x"})[0] == "x"


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "none.md", tmp_path):
        with pytest.raises(UserError, match=str(path)):
            Prompt.load(path, set(), set())


@pytest.mark.parametrize(
    "text",
    [
        "{{ label.nope }}",
        "{{ label + 1 }}",
        "{{ label[0].x.y }}",
        "{{ 1 / 0 }}{{ label }}",
        "{% include 'x' %}{{ label }}",
    ],
)
def test_what_cannot_be_rendered_is_told(tmp_path, text):
    prompt = load(tmp_path, text)
    with pytest.raises(UserError, match=r"seed\.md"):
        prompt.render({"label": "good"})


def test_a_missing_slot_is_told_by_name(tmp_path):
    with pytest.raises(UserError, match=r"seed\.md: 'label' is undefined"):
        load(tmp_path, "{{ label }}").render({})


@pytest.mark.parametrize("text", ["{{ label.__class__.__mro__ }}", "{{ ''.__class__.__subclasses__() }}{{ label }}"])
def test_the_sandbox_holds(tmp_path, text):
    with pytest.raises(UserError):
        load(tmp_path, text).render({"label": "good"})
