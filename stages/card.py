"""The dataset card, for those who use the rows: what they are, how they were made and what they are worth.

python -m stages.card TASK
"""

from synthesis import card, files
from synthesis.run import Run, stage


def main(run: Run) -> None:
    files.write_text(card.render(run), run.paths.card)


if __name__ == "__main__":
    stage(main)
