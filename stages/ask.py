"""Questions about a corpus: templates turn its sentences into pairs of question and answer (arXiv 2310.07830).

    python -m stages.ask TASK

No teacher is asked. A pair that test or selection would recognise is left out.
"""

import pandas as pd

from synthesis import UserError, files
from synthesis.corpus.checks import HeldOut
from synthesis.corpus.collect import collect
from synthesis.run import Run, stage


def main(run: Run) -> None:
    task, corpus, gold = run.task, run.settings.corpus, run.gold()
    if corpus is None:
        raise UserError(f"params.yaml: task.{task.name}.corpus is empty: name the texts to ask about as its `source`")
    held_out = pd.concat([gold["test"], gold["selection"]])
    if not {"question", "answers"} <= set(held_out):
        raise UserError(f"task {task.name} has no questions with answers: a corpus becomes pairs of these only")
    pairs, metrics = collect(corpus, HeldOut(held_out.question, held_out.answers))
    if pairs.empty:
        raise UserError(
            f"{corpus.source}: none of {metrics['sentences']:,} sentences gave a pair ({metrics['rejected']})"
        )
    files.write(pairs, run.paths.pairs)
    files.write_json(metrics, run.paths.metrics / "pairs.json")


if __name__ == "__main__":
    stage(main)
