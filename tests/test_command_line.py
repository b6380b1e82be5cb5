"""The command line `synthesis`: quick to explain itself, and plain about what is wrong."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

COMMANDS = ["new-task", "estimate", "tune", "worth", "compare", "study", "lineage", "predict", "export", "serve"]
COMMANDS += ["publish", "mine-feedback"]
GROUPS = {"store": ["info", "prune", "export", "import"], "batches": ["list", "cancel"]}
SLOW = "pandas", "pydantic", "torch", "sklearn", "transformers", "dvc", "matplotlib", "huggingface_hub", "openai"
SLOW += "fastapi", "uvicorn", "onnxruntime", "pyarrow"


def synthesis(*words: str) -> subprocess.CompletedProcess:
    words = [sys.executable, "-m", "synthesis", *words]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_without_words_it_lists_its_commands_each_in_a_line():
    listed = synthesis()
    assert listed.returncode == 0 and listed.stderr == ""
    assert listed.stdout == synthesis("--help").stdout
    shown = listed.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in shown] == [*COMMANDS, *GROUPS]
    assert all(line.endswith(".") and "..." not in line for line in shown)


@pytest.mark.parametrize("command", [*COMMANDS, *(f"{group} {name}" for group in GROUPS for name in GROUPS[group])])
def test_every_command_has_an_example(command):
    text = synthesis(*command.split(), "--help").stdout
    assert f"Example: synthesis {command}" in " ".join(text.split())


def test_what_takes_long_to_load_is_not_loaded_for_help():
    code = f"import sys, synthesis.__main__; print(sorted(set({SLOW}) & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nonsense"], "error: No such command 'nonsense': see `synthesis --help`"),
        (["store"], "error: Missing command: see `synthesis store --help`"),
        (["lineage"], "error: Missing argument 'ROW': see `synthesis lineage --help`"),
        (["compare", "main", "--bugdets"], "error: No such option: --bugdets"),
        (["store", "prune", "--older-than", "x"], "error: Invalid value for '--older-than'"),
        (
            ["tune", "reviews", "--export"],
            "error: Option '--export' requires an argument: see `synthesis COMMAND --help`",
        ),
        (["store", "export", "."], "error: Invalid value for 'FILE': file '.' is a directory"),
        (["store", "import", "."], "error: Invalid value for 'FILE': file '.' is a directory"),
        (["store", "prune"], "error: say which answers to delete"),
        (["estimate", "nonsense"], "error: params.yaml has no task `nonsense`"),
    ],
)
def test_what_is_wrong_is_one_line(words, message):
    refused = synthesis(*words)
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr.startswith(message) and refused.stderr.count("\n") == 1
