"""Harm: whether a model has lost its language, by tests that have nothing to do with what it was taught.

EleutherAI's harness lm-eval (Gao et al., 2024) asks and scores, without examples in the prompt and without a chat's
template. Rows come from files; nothing is loaded from the hub. harm.yaml has the tests.
"""

from __future__ import annotations

import logging
import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from synthesis import UserError, source
from synthesis.measures import paired
from synthesis.params import Harm
from synthesis.tasks.cells import check_texts, listed, short, spelled

TESTS = yaml.safe_load((Path(__file__).parent / "harm.yaml").read_text(encoding="utf-8"))
DRAWS = 1000  # of the bootstrap that gives the standard error of a perplexity
BATCH = 16  # texts that are read at once
ITEMS = ["test", "item", "right", "log_likelihood"]
CHOICES = "acc_norm", "acc"  # the first that a test has says whether an item is right


def read(harm: Harm) -> dict[str, pd.DataFrame]:
    """By test its rows, at most `limit`, drawn at random, and the same for any model.

    Raises UserError for a file that is not on this machine, lacks a column, or has a row that is none of the test.
    """
    tables = {}
    for name, file in harm.tests.items():
        if not Path(file).is_file():
            raise UserError(
                f"{file} is missing: task.<name>.harm.{name} is a file on this machine, not an id of the hub"
            )
        rows = source.read(file, "test")
        _check(name, rows, file)
        tables[name] = rows.sample(min(len(rows), harm.limit or len(rows)), random_state=0)
    return tables


def _check(name: str, rows: pd.DataFrame, file: str) -> None:
    test = {"lists": {}, "answers": {}} | TESTS[name]
    columns = [*test["texts"], *test["lists"], *test["answers"]]
    if missing := [column for column in columns if column not in rows]:
        there = ", ".join(map(str, rows.columns))
        raise UserError(f"{file} has no column `{missing[0]}`, which {name} needs (there: {there})")
    if len(rows) < 2:
        raise UserError(f"{file} has one row: a standard error needs two")
    check_texts(rows, test["texts"], file)
    for column, count in test["lists"].items():
        for row, value in rows[column].items():
            texts = [] if isinstance(value, str) else listed(value)
            if len(texts) != count or not all(isinstance(text, str) and text.strip() for text in texts):
                raise UserError(
                    f"{file} row {row}: `{column}` is {short(value)}, and {name} needs a list of {count} texts"
                )
    for column, known in test["answers"].items():
        for row, value in spelled(rows[column], file, column, "answer").items():
            if value not in known:
                raise UserError(
                    f"{file} row {row}: `{column}` is {short(value)}, and {name} needs one of {', '.join(known)}"
                )


def ask(model, tokenizer, tables: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, dict]:
    """What a causal model makes of the rows of each test: a row for each item, and scores with standard errors.

    Items: test, item (the row's number in its file), right, log_likelihood (of what is right; NaN for tests with a
    choice). Scores, by test: items, accuracy, accuracy_error; of LAMBADA perplexity and perplexity_error.
    """
    os.environ |= {"HF_DATASETS_OFFLINE": "1", "DISABLE_MULTIPROC": "1"}  # read once, as the library is loaded
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    reader = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=BATCH)
    with redirect_stdout(StringIO()):
        found = evaluate(reader, {name: _test(name, rows) for name, rows in tables.items()}, bootstrap_iters=DRAWS)
    items = [
        (name, int(tables[name].index[one["doc_id"]]), int(one[_choice(one)]), one.get("perplexity", np.nan))
        for name in tables
        for one in sorted(found["samples"][name], key=lambda one: one["doc_id"])
    ]
    scores = {name: _scores(found["results"][name], len(rows)) for name, rows in tables.items()}
    return pd.DataFrame(items, columns=ITEMS), scores


def _test(name: str, rows: pd.DataFrame):
    """The test as lm-eval has it."""
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask

    rows = Dataset.from_pandas(rows, preserve_index=False)
    own = {"task": name, "custom_dataset": lambda **_: {"test": rows}, "test_split": "test"}
    return ConfigurableTask(config=TESTS[name]["test"] | own)


def _choice(names) -> str:
    return next(name for name in CHOICES if name in names)


def _scores(results: dict, items: int) -> dict:
    measures = {name.removesuffix(",none"): value for name, value in results.items() if name.endswith(",none")}
    named = {"accuracy": _choice(measures)} | ({"perplexity": "perplexity"} if "perplexity" in measures else {})
    scores = {"items": items}
    for name, theirs in named.items():
        scores |= {name: round(measures[theirs], 4), f"{name}_error": round(measures[f"{theirs}_stderr"], 4)}
    return scores


def compare(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, dict]:
    """By test: the difference of accuracy, items lost and gained, and the p value of McNemar's test; of LAMBADA also
    the difference of the log-likelihood of a last word and the p value of a paired bootstrap.

    before, after: as `ask` returns them, of the same rows.
    """
    found = {}
    for name, pair in before.merge(after, on=["test", "item"], suffixes=("_0", "_1")).groupby("test", sort=False):
        was, now = (pair[[f"right_{place}"]].to_numpy() for place in (0, 1))
        found[name] = {
            "difference": round(float(now.mean() - was.mean()), 4),
            "lost": int((was > now).sum()),
            "gained": int((now > was).sum()),
            "p": round(paired.sign_flip(now, was), 4),
        }
        likelihoods = pair[["log_likelihood_0", "log_likelihood_1"]].dropna().to_numpy()
        if len(likelihoods):
            was, now = likelihoods[:, :1], likelihoods[:, 1:]
            found[name]["log_likelihood"] = round(float(now.mean() - was.mean()), 4)
            found[name]["log_likelihood_p"] = round(paired.bootstrap(now, was), 4)
    return found
