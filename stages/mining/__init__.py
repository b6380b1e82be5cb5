"""What the teacher is shown after a round: one module for each value of method.mine, all of the same shape.

`mine(task, params, q, answers)` returns the mined rows. `answers` are those of the round's student, seed 0, to the
validation rows.
"""


def count(task, params, q: int, answers) -> int:
    """How many rows are mined where it is not the errors themselves: what method.mined says, else as many as those."""
    return params.method.mined[q] if params.method.mined else int(task.wrong(answers, params.method).sum())
