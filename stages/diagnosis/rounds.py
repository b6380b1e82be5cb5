"""Validation rows from round to round: which errors are mended, which stay, which are new, which rows to doubt.

Students are the rounds' and the final one, in their order: columns named "0", "1", ..., "final".
"""

import pandas as pd


def students(history: pd.DataFrame, final: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The predictions of each student's first seed, which is the one whose errors are mined."""
    parts = {str(q): rows for q, rows in history.groupby("round")} | {"final": final}
    return {name: rows[rows.seed == 0] for name, rows in parts.items()}


def wrong(task, asked: dict[str, pd.DataFrame], method) -> pd.DataFrame:
    """Whether each student is wrong on each row: index id, (rows, students)."""
    missed = {name: set(rows.id[task.wrong(rows, method)]) for name, rows in asked.items()}
    ids = next(iter(asked.values())).id
    return pd.DataFrame({name: ids.isin(ids_) for name, ids_ in missed.items()}).set_index(pd.Index(ids, name="id"))


def changes(missed: pd.DataFrame) -> dict[str, dict[str, int]]:
    """By student: wrong rows; and of them and the student's before, those fixed, persisting and new."""
    told, before = {}, None
    for name, now in missed.items():
        told[name] = {"wrong": int(now.sum())}
        if before is not None:
            counts = {"fixed": before & ~now, "persisting": before & now, "new": now & ~before}
            told[name] |= {change: int(rows.sum()) for change, rows in counts.items()}
        before = now
    return told


def status(missed: pd.DataFrame) -> pd.Series:
    """right and wrong: all along. fixed and broken: at the end, and not at first. wavering: in between only."""
    first, last = missed.iloc[:, 0], missed.iloc[:, -1]
    told = pd.Series("wavering", index=missed.index)
    told[first & ~last], told[~first & last] = "fixed", "broken"
    told[missed.all(axis=1)], told[~missed.any(axis=1)] = "wrong", "right"
    return told


def doubt(task, asked: dict[str, pd.DataFrame]) -> tuple[pd.Series, float]:
    """How strongly students speak against each gold row, by id: how sure they are of their answers times how far off
    gold those are, meaned over students. And the bar: how sure they are of gold on the whole.
    """
    sure = pd.concat([task.sure(rows).set_axis(rows.id) for rows in asked.values()], axis=1)
    right = pd.concat([task.scores(rows)[task.metric].set_axis(rows.id) for rows in asked.values()], axis=1)
    sure.columns = right.columns = list(asked)
    return (sure * (1 - right)).mean(axis=1), float((sure * right).mean(axis=None))
