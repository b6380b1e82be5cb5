"""Coverage: how much of gold the synthetic data reach, and how varied they are (appendix C, Figure 3, Table 8).

    python -m stages.coverage TASK

Equal samples of gold (validation), of the seed data alone and of the final data are encoded, in the column that the
teacher writes. t-SNE draws them as a map, on which gold points are covered or not. And because the map distorts, the
same question is put to the encodings themselves: precision and recall of their manifolds.
"""

import numpy as np
import pandas as pd

from synthesis import files
from synthesis.encoding.embedding import embed
from synthesis.measures import coverage
from synthesis.report import figures
from synthesis.run import Run, stage


def main(run: Run) -> None:
    task, paths, student = run.task, run.paths, run.student
    final = files.read(paths.train(run.last))
    sets = {"gold": files.read(paths.gold("validation")), "seed": final[final["round"] == 0], "final": final}
    sets = coverage.sample(sets, task.written, run.params.coverage.sample, run.params.seed)
    texts = {name: rows[task.written].tolist() for name, rows in sets.items()}
    vectors = {name: embed(part, student.model, student.max_tokens)[0] for name, part in texts.items()}
    places = coverage.tsne(np.concatenate(list(vectors.values())))
    maps = dict(zip(sets, np.split(places, len(sets)), strict=True))

    rows = [rows[["id"]].assign(set=name, **{task.stratum: task.strata(rows)}) for name, rows in sets.items()]
    points = pd.concat(rows, ignore_index=True).assign(x=places[:, 0], y=places[:, 1])
    files.write(points, paths.coverage_points)
    files.write_csv(coverage.sweep(maps), paths.coverage_sweep)
    title = f"{task.name}: {task.written}, t-SNE of {len(texts['gold'])} rows of each set"
    with files.whole(paths.coverage_map) as draft:
        figures.save(figures.maps(maps, ["seed", "final"]), draft, title)
    files.write_json(coverage.numbers(vectors, texts), paths.metrics / "coverage.json")


if __name__ == "__main__":
    stage(main)
