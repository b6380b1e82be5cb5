"""Questions about a corpus: templates turn its sentences into pairs of question and answer (arXiv 2310.07830).

    python -m stages.ask TASK

No teacher is asked. A pair that test or selection would recognise is left out. Without task.<name>.corpus there are
none.
"""

import pandas as pd

from synthesis import UserError, files
from synthesis.run import Run, stage


def main(run: Run) -> None:
    corpus, pairs, metrics = run.settings.corpus, pd.DataFrame(), {}
    if corpus is not None:
        from synthesis.corpus.checks import HeldOut  # late: most tasks need no spaCy
        from synthesis.corpus.collect import collect

        gold = run.gold()
        held_out = pd.concat([gold["test"], gold["selection"]])
        pairs, metrics = collect(corpus, HeldOut(run.task.inputs(held_out), run.task.goals(held_out)))
        if pairs.empty:
            raise UserError(
                f"{corpus.source}: none of {metrics['sentences']:,} sentences gave a pair ({metrics['rejected']})"
            )
        [question], [answer] = run.task.columns, run.task.targets
        pairs = pairs.rename(columns={"question": question, "answer": answer})
    files.write(pairs, run.paths.pairs)
    files.write_json(metrics, run.paths.metrics / "pairs.json")


if __name__ == "__main__":
    stage(main)
