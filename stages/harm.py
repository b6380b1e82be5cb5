"""Harm: the tests of language that the untrained model took, taken by the student that ships, and both compared.

    python -m stages.harm TASK

Only for students that write, where task.<name>.harm names files.
"""

import pandas as pd

from synthesis import files
from synthesis.run import Run, stage


def main(run: Run) -> None:
    paths, items, metrics = run.paths, pd.DataFrame(), {}
    if harm := run.settings.harm:
        from synthesis.measures.harm import ask, compare, read  # late: it needs torch
        from synthesis.models.load import load_causal, load_tokenizer

        before, student = files.read_json(paths.metrics / "untrained.json"), str(paths.student)
        items, after = ask(load_causal(student), load_tokenizer(student, padded=False), read(harm))
        changes = compare(files.read(paths.untrained), items)
        metrics = {name: {"before": before[name], "after": after[name], **change} for name, change in changes.items()}
    files.write(items, paths.harm)
    files.write_json(metrics, paths.metrics / "harm.json")


if __name__ == "__main__":
    stage(main)
