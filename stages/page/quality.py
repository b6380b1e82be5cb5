"""Table 6: additions beside the errors that they were extrapolated from."""

from stages.page import cells
from stages.page.cells import Table
from stages.pipeline import table

HEAD = ["pairs", "cosine", "cosine to others", "edit distance", "tokens of the error", "of the addition"]
DIGITS = {"cosine": 2, "cosine_others": 2, "edit_distance": 1, "length_error": 1, "length_addition": 1}


def facts(run) -> dict:
    told, stratum = table.read_json(run.paths.metrics / "quality.json"), run.task.stratum
    rounds = {f"round {q}": means for q, means in told["by_round"].items()}
    return {
        "pairs": told["pairs"],
        "tables": [
            Table("By round", ["round", *HEAD], [*_lines(rounds), *_lines({"all": told})]),
            Table(f"By {_words(stratum)}", [_words(stratum), *HEAD], _lines(told[f"by_{stratum}"])),
        ],
    }


def _lines(groups: dict[str, dict]) -> list[list]:
    return [
        [name, cells.count(means["pairs"]), *(cells.decimal(means.get(key), digits) for key, digits in DIGITS.items())]
        for name, means in groups.items()
    ]


def _words(name: str) -> str:
    return name.replace("_", " ")
