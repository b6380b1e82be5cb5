"""Where a synthetic row comes from: gold row, wrong answer, prompt, the teacher's raw answer, and what became of it."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import closing
from difflib import get_close_matches

import pandas as pd

from synthesis import UserError, files
from synthesis.method import additions
from synthesis.run import Run
from synthesis.teacher import plans
from synthesis.teacher.ask import provider
from synthesis.teacher.request import Request, digest, sha256
from synthesis.teacher.store import Store, default_path

KEY = ["request", "sample", "attempt"]  # of an answer in the response store


class Lineage:
    """The way back from a task's rows. Raises UserError for a row or a table that is not there."""

    def __init__(self, run: Run):
        self.run, self.paths = run, run.paths

    def trace(self, name: str) -> dict[str, dict]:
        """The steps in their order, each with its fields. name: the id of a synthetic row."""
        row = self.row(name)
        origin, request = self.extrapolated(row) if row["parent"] else self.seeded(row)
        return {**origin, **self.answer(row, request), "row": row, "fate": self.fate(row)}

    def row(self, name: str) -> dict:
        """The row as the teacher's stage wrote it."""
        match = re.fullmatch(r"seed-\d+|round(\d+)-\d+", name)
        q = int(match[1] or 0) if match else 0
        if not match or q > self.run.last:
            raise UserError(
                f"`{name}` is no row of {self.run.task.name}: rows are called seed-0 to round{self.run.last}-0 and on"
            )
        rows = files.read(self.paths.additional(q))
        if not (rows.id == name).any():
            near = ", ".join(get_close_matches(name, rows.id, cutoff=0)) or "it is empty"
            raise UserError(f"{self.paths.additional(q)} has no row `{name}` (near: {near})")
        return _first(rows[rows.id == name])

    def extrapolated(self, row: dict) -> tuple[dict, Request]:
        """The gold row, the answer that the student of the round before gave to it, and what the teacher was asked."""
        q = row["round"] - 1
        gold, errors = files.read(self.paths.gold("validation")), files.read(self.paths.errors(q))
        errors = errors[errors.id == row["parent"]]
        if errors.empty:
            raise UserError(f"{self.paths.errors(q)} has no row `{row['parent']}`, from which {row['id']} was made")
        error, example = _first(errors), _first(gold[gold.id == row["parent"]])
        answer = {key: value for key, value in error.items() if key not in example}
        [request] = additions.extrapolation_requests(self.run, [error])
        return {"gold": example, "student": {"round": q, **answer}}, request

    def seeded(self, row: dict) -> tuple[dict, Request]:
        """The rationales, each with the key of the answer that named it, and what the teacher was asked."""
        rows, each = [row], 1 if row["round"] else self.run.params.method.rows_per_request
        if self.run.params.method.examples and not row["round"]:
            number = int((row["replaces"] or row["id"]).removeprefix("seed-")) // each
            rows = plans.with_examples(self.run, rows, files.read(self.paths.gold("validation")), number)
        [request] = plans.seed_requests(self.run, rows, each=each)
        if sha256(request.prompt) != row["prompt"] and self.run.params.method.seed in ("annotate", "both"):
            [request] = plans.verification(self.run, [row], files.read_json(self.paths.labels))
        if not row["rationales"]:
            return {}, request
        rationales = files.read(self.paths.rationales)
        keys = rationales[rationales.label == row["label"]].set_index("rationale")[KEY]
        return {"rationales": {reason: _first(keys.reindex([reason])) for reason in row["rationales"]}}, request

    def answer(self, row: dict, request: Request) -> dict:
        """The prompt, and the answer before it was cleaned: out of the store, or made again where rules wrote it."""
        unchanged = sha256(request.prompt) == row["prompt"]
        prompt = request.prompt if unchanged else "unknown: the prompt file, or what it shows, has changed since"
        if not row["prompt"]:
            prompt = "none: the row is one of gold, or of method.transfer.file, as it stands there"
        if not row["request"]:  # labelled by likelihood, or not by the teacher at all
            text, source = None, "it was asked for no answer"
        elif entry := self.stored(row):
            prompt, text = entry["body"]["messages"][-1]["content"], entry["text"]
            source = f"from the response store {default_path()}"
        elif (text := self.made_again(row, request)) is not None:
            source = "made again: this teacher follows rules, and nothing of it is stored"
        else:
            source = f"the response store {default_path()} does not have it"
        key = {name: row[name] for name in ("model", *KEY)}
        return {"prompt": {"text": prompt}, "teacher": {**key, "source": source, "answer": text}}

    def stored(self, row: dict) -> dict | None:
        if not default_path().is_file():
            return None
        with closing(Store()) as store:
            return store.entry(*(row[name] for name in KEY))

    def made_again(self, row: dict, request: Request) -> str | None:
        """The answer of a teacher whose answers are not worth keeping. None when another one wrote the row."""
        teacher = provider(self.run)
        if teacher.stored or digest(body := teacher.body(request)) != row["request"]:
            return None
        return asyncio.run(teacher.answer(body, row["sample"], row["attempt"])).text

    def fate(self, row: dict) -> dict:
        """The table that the row went to, and why when it was left out."""
        q = row["round"]
        if (files.read(self.paths.train(q)).id == row["id"]).any():
            return {"kept": self.paths.train(q).as_posix()}
        rejected = files.read(self.paths.rejected(q)).set_index("id").rejected
        if row["id"] not in rejected:
            raise UserError(f"{row['id']} is in neither table of round {q}: run `dvc repro`")
        return {"rejected": self.paths.rejected(q).as_posix(), "reason": rejected[row["id"]]}


def _first(rows: pd.DataFrame) -> dict:
    """The first row, in Python's own types."""
    return json.loads(rows.head(1).to_json(orient="records", double_precision=15))[0]
