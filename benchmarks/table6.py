"""Table 6 for additional data that do not say which errors they were written from.

    python -m benchmarks.table6 COUNT GOLD ADDITIONAL...

GOLD and ADDITIONAL are Parquet files with the columns text and label; COUNT additions are drawn. Each is compared with
a gold row of its label that is drawn at random, and with the one that shares most rare words with it. The row that it
was written from lies between the two.
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from synthesis import files, params
from synthesis.encoding.embedding import pieces
from synthesis.measures.quality import compare, means


def main(count: int, gold: pd.DataFrame, additional: pd.DataFrame) -> None:
    student = params.load().student
    for name, texts in (("gold", gold.text), ("additional", additional.text)):
        print(f"{name}: {len(texts)} rows, {np.mean([len(ids) for ids in pieces(texts, student.model)]):.2f} tokens")
    additional = additional.sample(count, random_state=0)
    vectorizer = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit(gold.text)
    draws = np.random.default_rng(0)
    drawn, nearest = [], []
    for label, group in additional.groupby("label"):
        same = gold.text[gold.label == label].to_numpy()
        drawn += list(zip(draws.choice(same, len(group)), group.text, strict=True))
        best = (vectorizer.transform(group.text) @ vectorizer.transform(same).T).argmax(axis=1)
        nearest += list(zip(same[np.asarray(best).ravel()], group.text, strict=True))
    for name, pairs in (("at random", drawn), ("nearest", nearest)):
        print(name, means(compare(*zip(*pairs, strict=True), student)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m benchmarks.table6", description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int, help="additions that are drawn")
    parser.add_argument("gold", help="a Parquet file with text and label")
    parser.add_argument("additional", nargs="+", help="Parquet files with text and label")
    given = parser.parse_args()
    main(given.count, files.read(given.gold), pd.concat(map(files.read, given.additional)))
