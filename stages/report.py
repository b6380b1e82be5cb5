"""The report: the students of the rounds beside the gold baseline, what analyses found, and what all of it cost.

python -m stages.report TASK
"""

from synthesis import files
from synthesis.report import figures, page
from synthesis.report.results import gather
from synthesis.report.sections import draw_rounds
from synthesis.run import Run, stage


def main(run: Run) -> None:
    paths, results = run.paths, gather(run)
    files.write_text(page.markdown(results), paths.report)
    files.write_text(page.render(results), paths.page)
    with files.whole(paths.picture) as draft:
        figures.save(draw_rounds(results), draft, title=run.task.name)
    files.write_csv(results.learning, paths.learning)
    files.write_json(results.cost, paths.metrics / "cost.json")
    files.write_json(results.compute, paths.metrics / "compute.json")


if __name__ == "__main__":
    stage(main)
