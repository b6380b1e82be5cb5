"""The leak audit: can the label of a synthetic row be told by its form alone, where that of a gold row cannot?

python -m stages.audit TASK
"""

import sys

from stages import task as tasks
from stages.pipeline import params as parameters
from stages.pipeline import table
from stages.pipeline.paths import Paths
from stages.pipeline.stage import run
from stages.shortcut import leaks


def main(name: str) -> None:
    params, paths = parameters.load(), Paths(name)
    task, last = tasks.load(name, params), params.rounds[-1].next
    synthetic, gold = (task.examples(table.read(file)) for file in (paths.train(last), paths.gold("validation")))
    found = leaks.found(synthetic, gold)
    for says in found.says[found.alarm == 1]:
        print(f"leak: {says}", file=sys.stderr)
    told = found.set_index("cue")[["synthetic", "gold", "alarm"]].round(4).to_dict("index")
    table.write(found, paths.leaks)
    table.write_json({"alarms": int(found.alarm.sum()), "cues": told}, paths.metrics / "audit.json")


if __name__ == "__main__":
    run(main)
