"""Table 6 for additional data whose errors are not told: each addition beside a gold row of its label that is drawn at
random, and beside the one that shares most rare words with it. The row that it was written from lies between the two.

    python -m benchmarks.table6 COUNT GOLD ADDITIONAL...

GOLD and ADDITIONAL are Parquet files with the columns text and label; COUNT additions are drawn.
"""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.stage import number, run
from stages.quality import means, pairs
from stages.student.embedding import pieces


def main(count: str, gold: str, *additional: str) -> None:
    student = parameters.load().student
    gold, added = table.read(gold), pd.concat([table.read(file) for file in additional])
    for which, texts in (("gold", gold.text), ("additional", added.text)):
        print(f"{which}: {len(texts)} rows, {np.mean([len(ids) for ids in pieces(texts, student.model)]):.2f} tokens")
    added = added.sample(number(count), random_state=0)
    likeness = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit(gold.text)
    draws = np.random.default_rng(0)
    drawn, nearest = [], []
    for label, group in added.groupby("label"):
        same = gold.text[gold.label == label].to_numpy()
        drawn += list(zip(draws.choice(same, len(group)), group.text, strict=True))
        best = (likeness.transform(group.text) @ likeness.transform(same).T).argmax(axis=1)
        nearest += list(zip(same[np.asarray(best).ravel()], group.text, strict=True))
    for which, chosen in (("at random", drawn), ("nearest", nearest)):
        print(which, means(pairs(*zip(*chosen, strict=True), student)))


if __name__ == "__main__":
    run(main)
