"""ProGen's feedback (Ye et al., 2022): synthetic rows that help the student most become examples in the prompt.

It may look at gold validation rows, as S3 does; the published method, which has no gold, looks at synthetic ones.
"""

import random

import pandas as pd

from stages.mining import count
from stages.pipeline import table
from stages.pipeline.paths import Paths

POOL = 50  # most helpful rows of each label
EXAMPLES = 8  # in a prompt
SHARE = 0.5  # of the prompts that have examples


def mine(task, params, q: int, answers: pd.DataFrame) -> pd.DataFrame:
    """A label for each row that is asked for, in turn, and `examples`: texts of that label, or none.

    As many as method.mined says, or as there are errors.
    """
    paths = Paths(task.name)
    influence = table.read(paths.influence(q)).query("influence > 0")
    rows = table.read(paths.train(q)).merge(influence, on="id", validate="1:1")
    best = rows.sort_values(["influence", "id"], ascending=[False, True]).groupby("label").head(POOL)
    pools = best.groupby("label")[task.written].apply(list).to_dict()
    labels = table.read_json(paths.labels)
    rngs = [random.Random(f"{params.seed}/feedback/{q}/{i}") for i in range(count(task, params, q, answers))]
    rows = [drawn(labels[i % len(labels)], pools, rng) for i, rng in enumerate(rngs)]
    return pd.DataFrame(rows, columns=["label", "examples"])


def drawn(label: str, pools: dict[str, list[str]], rng: random.Random) -> dict:
    pool = pools.get(label, [])
    return {"label": label, "examples": rng.sample(pool, min(EXAMPLES, len(pool))) if rng.random() < SHARE else []}
