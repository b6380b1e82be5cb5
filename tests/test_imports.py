"""A stage that does not train starts fast: the processor time of its imports, best of three."""

import subprocess
import sys

import pytest

CODE = """
import sys, time
start = time.process_time()
import stages.{stage}
heavy = {{"torch", "transformers", "sklearn", "openai"}}
print(time.process_time() - start, sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "stage",
    [
        "gold",
        "rationales",
        "seed",
        "combine",
        "mine",
        "extrapolate",
        "untrained",
        "harm",
        "structure",
        "report",
        "quality",
        "coverage",
    ],
)
def test_light_stages_import_in_under_a_second(stage):
    for _ in range(3):
        words = [sys.executable, "-c", CODE.format(stage=stage)]
        taken, heavy = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split(maxsplit=1)
        assert heavy.strip() == "[]"
        if float(taken) < 1:
            return
    pytest.fail(f"{taken} s, the third time")
