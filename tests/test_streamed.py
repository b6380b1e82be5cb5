"""The filters in batches and processes keep what the filters in one process keep."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import benchmarks.filters as benchmark
from stages import combine
from synthesis import UserError, files, streamed
from synthesis.run import Run

ROWS = 1_500


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with seed rows of all kinds that filters know, and additional ones that resemble them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "BATCH", 256)
    monkeypatch.setattr(streamed, "PART", 100)
    monkeypatch.setattr(benchmark, "VOCABULARY", 2_000)
    monkeypatch.setattr(benchmark, "GOLD", {"validation": 600, "selection": 100, "test": 200})
    benchmark.write(tmp_path, ROWS)
    run = Run.of(benchmark.TASK)
    gold, seed = run.gold(), files.read(run.paths.seed)
    texts = seed.text.tolist()
    texts[5:300:7] = gold["test"].text[:43]  # also in test
    texts[6:300:7] = gold["validation"].text[:42]  # quoted
    texts[301:900:3] = [f"Here is a film review: {text}" for text in texts[301:900:3]]
    texts[302:900:30] = ["быстро и хорошо " + text[:5] for text in texts[302:900:30]]
    texts[303:900:30] = [text * 20 for text in texts[303:900:30]]
    texts[1000:1080] = [f"{texts[1000]} {word}" for word in range(80)]  # a crowd that is nearly the same
    seed["text"], seed["item"] = texts, 0
    seed.loc[900:950, "rejected"] = "refusal"
    files.write(seed, run.paths.seed)
    more = seed.sample(600, random_state=1).assign(round=1, confidence=0.5, rejected="").drop(columns="item")
    more["id"] = [f"round1-{i}" for i in range(len(more))]
    more["parent"] = gold["validation"].id.to_numpy()
    more.loc[more.index[::2], "text"] = benchmark.sentences(300, 77)
    more.loc[more.index[1::50], "text"] = gold["validation"].text[1::50].to_numpy()  # its own error
    files.write(more, run.paths.additional(1))
    return run


@pytest.fixture
def threads(monkeypatch):
    """Threads in the place of processes, which take seconds to start."""

    def pool(count, context, begin, given):
        begin(*given)
        return ThreadPoolExecutor(count)

    monkeypatch.setattr(streamed, "ProcessPoolExecutor", pool)


def outcome(run, way, q) -> tuple:
    old = [run.paths.train(q - 1), run.paths.rejected(q - 1)] if q else []
    told = way(run, q, old)
    return told, files.read(run.paths.train(q)), files.read(run.paths.rejected(q))


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_the_same_rows_are_kept_and_rejected_for_the_same_reasons(run, workers, request):
    if workers == "threads":
        request.getfixturevalue("threads")
    for q in (0, 1) if workers == "threads" else (0,):
        told, train, rejected = outcome(run, combine.at_once, q)
        again, streamed_train, streamed_rejected = outcome(run, combine.in_batches, q)
        assert again == told
        assert_frame_equal(streamed_train, train, check_dtype=False)
        assert_frame_equal(streamed_rejected, rejected, check_dtype=False)
        reasons = set(rejected.rejected)
        assert reasons >= {"also in test", "other script", "lead-in", "too long", "duplicate", "near duplicate"}
        assert told[2] > 0 if q == 0 else "copy of its error" in reasons
    assert not list(run.paths.data.rglob("*.draft"))


def test_the_stage_streams_large_tables(run, monkeypatch, threads):
    monkeypatch.setattr(streamed, "MANY", ROWS)
    monkeypatch.setattr(combine, "at_once", None)
    combine.main(run, 0)
    metrics = files.read_json(run.paths.metrics / "round0" / "combine.json")
    assert metrics["rows"] == len(files.read(run.paths.train(0))) and metrics["also_in_validation"] > 0


def test_nothing_is_written_when_all_rows_are_rejected(run, threads):
    files.write(files.read(run.paths.seed).assign(rejected="refusal"), run.paths.seed)
    with pytest.raises(UserError, match=r"all 1,500 rows of seed data are rejected, 1,500 of them as `refusal`"):
        combine.in_batches(run, 0, [])
    assert not run.paths.train(0).exists() and not list(run.paths.round(0).glob(".*"))


def test_groups_are_those_that_keys_connect():
    random = np.random.default_rng(3)
    table = random.integers(0, 4_000, (streamed.BANDS, 1_500)).astype(np.uint64)
    left = np.sort(random.choice(1_500, 400, replace=False))
    met, groups = streamed._groups(lambda band: table[band], left)
    whole = {row: {row} for row in left.tolist()}
    for band in table:
        for row in left.tolist():
            for other in left[band[left] == band[row]].tolist():
                if whole[row] is not whole[other]:
                    whole[row] |= whole[other]
                    for each in whole[other]:
                        whole[each] = whole[row]
    assert {row for row in whole if len(whole[row]) > 1} == set(met.tolist())
    found = pd.Series(met).groupby(groups).agg(set)
    assert {frozenset(group) for group in found} == {frozenset(group) for group in whole.values() if len(group) > 1}
    assert len(found) > 3
