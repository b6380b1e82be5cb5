"""The tests of language before training: what the student's model makes of them as it is published.

    python -m stages.untrained TASK

Only for students that write, where task.<name>.harm names files.
"""

import pandas as pd

from synthesis import files
from synthesis.run import Run, stage


def main(run: Run) -> None:
    items, scores = pd.DataFrame(), {}
    if harm := run.settings.harm:
        from synthesis.measures.harm import ask, read  # late: it needs torch, and most tasks have no such tests
        from synthesis.models.load import load_causal, load_tokenizer

        tables, model = read(harm), run.student.model
        items, scores = ask(load_causal(model), load_tokenizer(model, padded=False), tables)
    files.write(items, run.paths.untrained)
    files.write_json(scores, run.paths.metrics / "untrained.json")


if __name__ == "__main__":
    stage(main)
