"""Coverage: how much of gold the synthetic data reach, and how varied they are (appendix C, Figure 3, Table 8).

    python -m stages.coverage TASK

Equal samples of gold (validation), of the seed data alone and of the final data are encoded, in the column that the
teacher writes. t-SNE draws them as a map, on which a gold point is covered when a synthetic one lies within gamma.
The map has no scale of its own: gamma counts in median distances of gold points to their nearest neighbours. And
because the map distorts, the same question is put to the encodings themselves: precision and recall of their manifolds.
"""

import numpy as np
import pandas as pd

from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import UserError, run
from stages.statistics.diversity import distinct, grams
from stages.statistics.manifold import precision_recall, spacing, to_nearest
from stages.student.embedding import embed

GAMMAS = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0]
COMPONENTS = 30  # principal ones, of which the map is made
NEIGHBOURS = 3  # k of a manifold, that of Kynkäänniemi et al.
COLOURS = {"gold": "tab:purple", "seed": "tab:orange", "final": "tab:green"}


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, student = tasks.load(name, params), params.student
    final = table.read(paths.train(params.rounds[-1].next))
    sets = {"gold": table.read(paths.gold("validation")), "seed": final[final["round"] == 0], "final": final}
    sets = sampled(sets, task.written, params.coverage.sample, params.seed)
    texts = {which: rows[task.written].tolist() for which, rows in sets.items()}
    vectors = {which: embed(written, student.model, student.max_tokens)[0] for which, written in texts.items()}
    places = tsne(np.concatenate(list(vectors.values())), params.seed)
    maps = dict(zip(sets, np.split(places, len(sets)), strict=True))

    told = [rows[["id"]].assign(set=which, **{task.stratum: task.strata(rows)}) for which, rows in sets.items()]
    points = pd.concat(told, ignore_index=True).assign(x=places[:, 0], y=places[:, 1])
    table.write(points, paths.coverage_points)
    swept = sweep(maps)
    table.write_csv(swept, paths.coverage_sweep)
    with table.whole(paths.coverage_map) as draft:
        draw(maps, task, draft)
    table.write_json(numbers(vectors, swept, texts), paths.metrics / "coverage.json")


def sampled(sets: dict[str, pd.DataFrame], column: str, most: int, seed: int) -> dict[str, pd.DataFrame]:
    """As many rows of each set, uniformly, at most `most`; no text twice. Raises UserError when there are too few."""
    sets = {which: rows.drop_duplicates(column) for which, rows in sets.items()}
    size = min(most, *map(len, sets.values()))
    if size <= NEIGHBOURS:
        fewest = min(sets, key=lambda which: len(sets[which]))
        raise UserError(
            f"coverage compares at least {NEIGHBOURS + 1} different texts of each set, and the {fewest} data have "
            f"{len(sets[fewest])}: look at what was rejected, or raise gold.budget"
        )
    return {which: rows.sample(size, random_state=seed) for which, rows in sets.items()}


def tsne(vectors: np.ndarray, seed: int) -> np.ndarray:
    """The map, (points, 2). A change in an encoding's last bit would give another one: so one thread, and the principal
    components are rounded to what a batch of other texts, which pads and sums in another order, does not reach."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        components = PCA(min(COMPONENTS, *vectors.shape), svd_solver="full").fit_transform(vectors.astype(float))
        return TSNE(perplexity=min(30, (len(vectors) - 1) / 3), random_state=seed).fit_transform(components.round(2))


def sweep(maps: dict[str, np.ndarray]) -> pd.DataFrame:
    """The share of gold points that are covered: gamma, set, covered. Gold itself, each point by the others, is what as
    many more gold rows would reach."""
    gold = maps["gold"]
    unit = spacing(gold)
    distances = {which: to_nearest(gold, None if which == "gold" else places) for which, places in maps.items()}
    shares = [
        (gamma, which, (nearest <= gamma * unit).mean()) for which, nearest in distances.items() for gamma in GAMMAS
    ]
    return pd.DataFrame(shares, columns=["gamma", "set", "covered"]).round(4)


def numbers(vectors: dict, swept: pd.DataFrame, texts: dict) -> dict:
    """Of each set: the share of gold that it covers on the map with gamma 1, its precision and recall, the share of
    gold's words that it has, and distinct-1, 2 and 3. Words are counted in as much text of each set."""
    told = {"rows": len(texts["gold"]), "neighbours": NEIGHBOURS}
    covered = swept[swept.gamma == 1].set_index("set").covered
    runs = {n: {which: grams(written, n) for which, written in texts.items()} for n in (1, 2, 3)}
    limits = {n: min(map(len, found.values())) for n, found in runs.items()}
    words = {which: set(found[: limits[1]]) for which, found in runs[1].items()}
    for which in texts:
        mine = {"covered": covered[which]}
        if which != "gold":
            mine["precision"], mine["recall"] = precision_recall(vectors["gold"], vectors[which], NEIGHBOURS)
            mine["vocabulary"] = len(words[which] & words["gold"]) / len(words["gold"])
        mine |= {f"distinct_{n}": distinct(found[which], limits[n]) for n, found in runs.items()}
        told[which] = {key: round(float(value), 4) for key, value in mine.items()}
    return told


def draw(maps: dict[str, np.ndarray], task, file) -> None:
    """Figure 3: gold behind the seed data, and behind the final data."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 4.4), sharex=True, sharey=True, layout="constrained")
    for axes, which in zip(panels, ("seed", "final"), strict=True):
        for shown in ("gold", which):
            axes.scatter(*maps[shown].T, s=7, lw=0, alpha=0.7, color=COLOURS[shown], label=f"{shown} data")
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.legend(frameon=False, loc="upper left", markerscale=2)
    figure.suptitle(f"{task.name}: {task.written}, t-SNE of {len(maps['gold'])} rows of each set")
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    run(main)
