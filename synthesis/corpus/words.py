"""The lists of words.yaml, by name, as sets."""

from pathlib import Path

import yaml

_LISTS = yaml.load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
WORDS = {name: frozenset(words) for name, words in _LISTS.items()}
