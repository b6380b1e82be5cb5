"""The report's page, as a browser shows it."""

import html
import json
import re

import numpy as np
import pandas as pd
import pytest

from synthesis import files
from synthesis.params import Task as Settings
from synthesis.report.sections import varied
from synthesis.tasks.classification import Task
from tests import browser as browsers
from tests.people import ROWS

TASKS = ["reviews", *ROWS]
QUESTIONS = "test", "gold", "synthetic", "mixed"  # sets of them, as the stage `structure` compares them
HOSTILE = "</td><script>hacked = 1</script><img src=x onerror='hacked = 1'>{{ 7 * 7 }} &amp;" + 150 * "x"
CONTRAST = """(() => {
    const luminance = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const paper = luminance(getComputedStyle(document.body).backgroundColor);
    const drawn = "svg text, svg use, svg [style*='stroke: var(--gold)'], svg [style*='stroke: var(--accent)']";
    return [...document.querySelectorAll("p, a, th, td, dd, dt, figcaption, .key, " + drawn)]
        .map((one) => [getComputedStyle(one), one])
        .map(([style, one]) => !one.closest("svg") ? style.color : style.fill === "none" ? style.stroke : style.fill)
        .map((colour) => luminance(colour))
        .map((ink) => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05))
        .reduce((least, ratio) => Math.min(least, ratio));
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not browsers.installed():
        pytest.skip(f"none of {', '.join(browsers.NAMES)} is installed")
    with browsers.Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


def test_all_cues_together_are_no_cue_of_their_own(repository):
    file = repository.folder / "data/reviews/leaks.parquet"
    cues = files.read(file)
    file.unlink()
    files.write(cues.assign(alarm=(cues.cue == "together").astype(int)), file)
    repository.stage("report", "reviews")
    page = (repository.folder / "reports/reviews.html").read_text()
    assert f"<summary>{len(cues) - 1} cues, and all together</summary>" in page
    assert "<p>All cues together predict the label with a balanced accuracy" in page and "This cue alone" not in page


@pytest.mark.parametrize("task", TASKS)
def test_page_fits_and_asks_for_nothing(all_kinds, browser, task):
    async def visitor(tab):
        for width in (360, 1280):
            await tab.resize(width)
            await tab.run("document.querySelectorAll('details').forEach((details) => details.open = true)")
            assert await tab.run("document.documentElement.scrollWidth") <= width
        widths = await tab.run("[...document.querySelectorAll('svg')].map((figure) => figure.getBBox().width)")
        assert len(widths) == 5 and min(widths) > 100
        dangling = "[...document.querySelectorAll('a')].filter((a) => !document.querySelector(a.getAttribute('href')))"
        assert await tab.run(f"{dangling}.length") == 0
        assert not tab.requested and not tab.complaints

    page = all_kinds.folder / f"reports/{task}.html"
    assert page.stat().st_size < 1_000_000
    browsers.visit(browser, page, visitor)


def test_light_and_dark(reproduced, browser):
    async def visitor(tab):
        papers = []
        for scheme in ("light", "dark"):
            await tab.use_scheme(scheme)
            papers.append(await tab.run("getComputedStyle(document.body).backgroundColor"))
            assert await tab.run(CONTRAST) >= 4.5
        assert papers[0] != papers[1]

    browsers.visit(browser, reproduced.folder / "reports/reviews.html", visitor)


def test_tables_sort(reproduced, browser):
    column = (
        "[...document.querySelector('#rounds table').tBodies[0].rows].map((row) => row.cells[{}].textContent.trim())"
    )
    head = "document.querySelector('#rounds table thead').rows[0].cells[{}]"

    async def visitor(tab):
        before = await tab.run(column.format(1))
        numbers = sorted(int(cell.replace(",", "")) for cell in before)
        await tab.run(f"{head.format(1)}.querySelector('button').click()")
        assert [int(cell) for cell in await tab.run(column.format(1))] == numbers
        assert await tab.run(f"{head.format(1)}.ariaSort") == "ascending"
        await tab.run(f"{head.format(1)}.querySelector('button').focus()")
        await tab.press("Enter", 13, "\r")
        assert [int(cell) for cell in await tab.run(column.format(1))] == numbers[::-1]
        assert await tab.run(f"{head.format(1)}.ariaSort") == "descending"
        await tab.press("Tab", 9)
        await tab.press("Tab", 9)
        await tab.press(" ", 32, " ")
        wrong = await tab.run(column.format(3))
        assert [int(cell.split()[0]) for cell in wrong[:-1]] == sorted(int(cell.split()[0]) for cell in wrong[:-1])
        assert wrong[-1] == "–", "what is empty stands last"
        assert await tab.run("document.querySelectorAll('#rounds [aria-sort]').length") == 1

    browsers.visit(browser, reproduced.folder / "reports/reviews.html", visitor)


def test_texts_are_only_texts(repository, browser):
    """Whatever teachers and gold files say is shown as it is, and none of it runs."""
    data = repository.folder / "data/reviews"
    train, gold, leaks = (files.read(data / f"{name}.parquet") for name in ("round2/train", "gold/validation", "leaks"))
    files.write(train.assign(text=HOSTILE), data / "round2/train.parquet")
    files.write(train.head(2).assign(text=HOSTILE, rejected=HOSTILE, twin=""), data / "round2/rejected.parquet")
    files.write(gold.assign(text=HOSTILE), data / "gold/validation.parquet")
    suspects = gold.head(2).assign(text=HOSTILE, predicted=HOSTILE, rank=1, doubt=0.5)
    files.write(suspects, data / "suspects.parquet")
    files.write(leaks.assign(cue=HOSTILE, says=HOSTILE), data / "leaks.parquet")
    with (repository.folder / "prompts/reviews/s3/seed.md").open("a") as prompt:
        prompt.write(HOSTILE)
    repository.stage("report", "reviews")

    async def visitor(tab):
        for section in ("rejected", "leaks", "errors", "samples", "recipe"):
            assert HOSTILE in await tab.run(f"document.getElementById('{section}').textContent"), section
        await tab.resize(360)
        assert await tab.run("document.documentElement.scrollWidth") <= 360
        assert await tab.run("typeof hacked") == "undefined"
        assert await tab.run("document.querySelectorAll('img, script').length") == 1
        assert not tab.requested and not tab.complaints

    browsers.visit(browser, repository.folder / "reports/reviews.html", visitor)


def test_same_run_same_bytes(repository):
    page = repository.folder / "reports/reviews.html"
    before = page.read_bytes()
    repository.stage("report", "reviews", PYTHONHASHSEED="7", TZ="Asia/Tokyo", LANG="de_DE.UTF-8")
    assert page.read_bytes() == before


def test_test_rows_are_not_shown(all_kinds):
    for task, column in (("reviews", "text"), ("rte", "hypothesis")):
        page = html.unescape((all_kinds.folder / f"reports/{task}.html").read_text())
        shown = files.read(all_kinds.folder / f"data/{task}/gold/test.parquet")[column]
        assert not any(text[:100] in page for text in shown)


def test_final_row_is_what_the_final_student_learned(repository):
    final = repository.folder / "metrics/reviews/final.json"
    metrics = json.loads(final.read_text())
    metrics["synthetic"]["rows"] = 1234
    final.write_text(json.dumps(metrics))
    repository.stage("report", "reviews")
    assert "| final, ships  | 1234 |" in (repository.folder / "reports/reviews.md").read_text()


@pytest.mark.parametrize("labels, most", [(77, 154), (77, 12), (2, 12)])
def test_rows_to_read_are_of_every_round_and_label(labels, most):
    task = Task("t", Settings.model_construct(words={}))
    rows = pd.DataFrame({"round": np.arange(1000) // 900 + 1, "label": [f"label {i % labels}" for i in range(1000)]})
    counts = varied(rows, task, most).groupby(["round", "label"]).size()
    assert counts.sum() == most
    assert len(counts) == min(most, 2 * labels) and counts.max() - counts.min() <= 1


def test_what_only_some_runs_have_is_shown_where_it_is(repository):
    """A tuned teacher, tests of language, and a corpus: without it, the page has no section and no link."""
    page, metrics = repository.folder / "reports/reviews.html", repository.folder / "metrics/reviews"
    assert not {"tuning", "structure", "harm"} & set(re.findall(r'id="(\w+)"', page.read_text()))
    files.write_json({"likelihood": {"before": 0.05, "after": 0.071}}, metrics / "tune.json")
    change = {"p": 0.25, "log_likelihood_p": 0.0004, "before": {"accuracy": 0.42, "perplexity": 31.5}}
    files.write_json({"lambada": {**change, "after": {"accuracy": 0.403, "perplexity": 40.25}}}, metrics / "harm.json")
    numbers = {name: {"questions": 9, "form": {"entropy": 1.5, "divergence": 0.125}} for name in QUESTIONS}
    files.write_json({**numbers, "fills": {"form": ["who"]}, "widens": {}}, metrics / "structure.json")
    gaps = pd.DataFrame({"aspect": "form", "value": ["who", "when"], **dict.fromkeys(QUESTIONS, 0.213)})
    gaps = gaps.assign(effect=["fills", ""], score_gold=0.1, score_ships=[0.377, np.nan])
    files.write(gaps, repository.folder / "data/reviews/structure.parquet")
    repository.stage("report", "reviews")
    shown = page.read_text()
    assert {"tuning", "structure", "harm"} <= set(re.findall(r'<section id="(\w+)"', shown))
    cells = re.findall(r"<td[^>]*>(?:<span[^>]*>)?([^<]*)", shown)
    wanted = ["5.0", "7.1", "42.0", "40.3", "0.250", "31.50", "40.25", "<.001", "1.50", "0.125", "21.3", "37.7", "who"]
    assert not set(map(html.escape, wanted)) - set(cells) and "when" not in cells
