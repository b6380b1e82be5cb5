"""Replay: general text that a student learns beside its rows, so that it does not forget its language.

The remedy is that of continual learning (Rolnick et al., 2019), here with text like that of the model's pre-training.
"""

from synthesis import UserError, source
from synthesis.params import Replay
from synthesis.tasks.base import Task
from synthesis.tasks.cells import check_texts


def texts(replay: Replay | None, task: Task, rows: int, seed: int) -> list[str]:
    """Texts to learn beside so many rows, as many as make up their share of both; all before any comes again.

    Raises UserError for a file that is not there, and for one without the column.
    """
    if replay is None:
        return []
    table = source.read(replay.file, "train", "method.replay.file in params.yaml")
    if replay.column not in table:
        there = ", ".join(map(str, table.columns))
        raise UserError(f"method.replay: {replay.file} has no column `{replay.column}` (there: {there})")
    check_texts(table, [replay.column], replay.file)
    found = table[replay.column].drop_duplicates().sample(frac=1, random_state=seed).tolist()
    wanted = round(rows * replay.share / (1 - replay.share))
    return (found * -(-wanted // len(found)))[:wanted]
