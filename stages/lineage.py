"""Where a row comes from: gold row, wrong answer, prompt, the teacher's raw answer, and what became of it.

    python -m stages.lineage ROW [TASK] [--json]

ROW is the id of a synthetic row, `seed-12` or `round1-7`. TASK may be left out where only one runs.
"""

import argparse
import asyncio
import json
import re
from contextlib import closing
from difflib import get_close_matches

import pandas as pd

from stages import task as tasks
from stages import teacher
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import UserError, run
from stages.teacher.prompt import Prompt
from stages.teacher.request import Request, digest, sha256
from stages.teacher.store import Store, default_path

KEY = ["request", "sample", "attempt"]  # of an answer in the response store


def main(*words: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.lineage", description="Where a synthetic row comes from.")
    parser.add_argument("row", metavar="ROW", help="its id: seed-12, round1-7")
    parser.add_argument("task", metavar="TASK", nargs="?", help="needed where several run")
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args(words)
    params = parameters.load()
    if given.task is None and len(params.tasks) > 1:
        raise UserError(f"several tasks run ({', '.join(params.tasks)}): name one after the row")
    found = Lineage(given.task or params.tasks[0], params).of(given.row)
    print(json.dumps(found, indent=2, ensure_ascii=False) if given.json else shown(found))


class Lineage:
    """The way back from a task's rows. Raises UserError for a row that is not there, and for a table that is not."""

    def __init__(self, name: str, params):
        self.name, self.params = name, params
        self.task, self.paths = tasks.load(name, params), Paths(name)

    def of(self, wanted: str) -> dict:
        """The steps in their order, each a dict of fields."""
        row = self.row(wanted)
        origin, request = self.extrapolated(row) if row["parent"] else self.seeded(row)
        return {**origin, **self.answer(row, request), "row": row, "fate": self.fate(row)}

    def row(self, wanted: str) -> dict:
        """The row as the teacher's stage wrote it."""
        name = re.fullmatch(r"seed-\d+|round(\d+)-\d+", wanted)
        last = self.params.rounds[-1].next
        q = int(name[1] or 0) if name else 0
        if not name or q > last:
            raise UserError(f"`{wanted}` is no row of {self.name}: rows are called seed-0 to round{last}-0 and on")
        rows = table.read(self.paths.additional(q))
        if not (rows.id == wanted).any():
            near = ", ".join(get_close_matches(wanted, rows.id, cutoff=0)) or "it is empty"
            raise UserError(f"{self.paths.additional(q)} has no row `{wanted}` (near: {near})")
        return first(rows[rows.id == wanted])

    def extrapolated(self, row: dict) -> tuple[dict, Request]:
        """The gold row, the answer that the student of the round before gave to it, and what the teacher was asked."""
        q = row["round"] - 1
        gold, errors = table.read(self.paths.gold("validation")), table.read(self.paths.errors(q))
        errors = errors[errors.id == row["parent"]]
        if errors.empty:
            raise UserError(f"{self.paths.errors(q)} has no row `{row['parent']}`, from which {row['id']} was made")
        error, example = first(errors), first(gold[gold.id == row["parent"]])
        answer = {key: value for key, value in error.items() if key not in example}
        request = Prompt.of(self.task, self.params, "extrapolate").request(self.task.error_slots(error))
        return {"gold": example, "student": {"round": q, **answer}}, request

    def seeded(self, row: dict) -> tuple[dict, Request]:
        """The rationales, each with the key of the answer that named it, and what the teacher was asked."""
        request = Prompt.of(self.task, self.params, "seed").request(self.task.seed_slots(row))
        if not row["rationales"]:
            return {}, request
        known = table.read(self.paths.rationales)
        known = known[known.label == row["label"]].set_index("rationale")[KEY]
        return {"rationales": {each: first(known.reindex([each])) for each in row["rationales"]}}, request

    def answer(self, row: dict, request: Request) -> dict:
        """The prompt, and the answer before it was cleaned: out of the store, or made again where rules wrote it."""
        unchanged = sha256(request.prompt) == row["prompt"]
        prompt = request.prompt if unchanged else "not known: the prompt file, or what it shows, is another by now"
        entry = self.stored(row)
        if entry:
            prompt = entry["body"]["messages"][-1]["content"]
            raw, source = entry["text"], f"from the response store {default_path()}"
        elif (raw := self.made_again(row, request)) is not None:
            source = "made again: this teacher follows rules, and nothing of it is stored"
        else:
            source = f"the response store {default_path()} does not have it"
        asked = {key: row[key] for key in ("model", *KEY)}
        return {"prompt": {"text": prompt}, "teacher": {**asked, "source": source, "answer": raw}}

    def stored(self, row: dict) -> dict | None:
        if not default_path().is_file():
            return None
        with closing(Store()) as store:
            return store.entry(*(row[key] for key in KEY))

    def made_again(self, row: dict, request: Request) -> str | None:
        """The answer of a teacher whose answers are not worth keeping. None when another one wrote the row."""
        provider = teacher.provider(self.params, self.name)
        if provider.stored or digest(body := provider.body(request)) != row["request"]:
            return None
        return asyncio.run(provider.answer(body, row["sample"], row["attempt"])).text

    def fate(self, row: dict) -> dict:
        """The table that the row went to, and why when it was left out."""
        q = row["round"]
        if (table.read(self.paths.train(q)).id == row["id"]).any():
            return {"kept": self.paths.train(q).as_posix()}
        rejected = table.read(self.paths.rejected(q)).set_index("id").rejected
        if row["id"] not in rejected:
            raise UserError(f"{row['id']} is in neither table of round {q}: run `dvc repro`")
        return {"rejected": self.paths.rejected(q).as_posix(), "reason": rejected[row["id"]]}


def first(rows: pd.DataFrame) -> dict:
    """The first row, in Python's own types."""
    return json.loads(rows.head(1).to_json(orient="records", double_precision=15))[0]


def shown(steps: dict) -> str:
    """The steps for a terminal. What the teacher or a gold file says must not control it: such letters are escaped."""
    lines = []
    for step, fields in steps.items():
        lines.append(step)
        for name, value in fields.items():
            if isinstance(value, dict):
                value = ", ".join(f"{key} {part}" for key, part in value.items())
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            text = "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)
            lines.append(f"    {name}: {text}".replace("\n", "\n        "))
        lines.append("")
    return "\n".join(lines[:-1])


if __name__ == "__main__":
    run(main)
