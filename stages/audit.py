"""The leak audit: does the form of a synthetic row give its label away, where that of a gold row does not?

python -m stages.audit TASK
"""

import sys

from synthesis import files
from synthesis.measures import leaks
from synthesis.run import Run, stage


def main(run: Run) -> None:
    tables = files.read(run.paths.train(run.last)), files.read(run.paths.gold("validation"))
    cues = leaks.audit(*map(run.task.examples, tables))
    for says in cues.says[cues.alarm == 1]:
        print(f"leak: {says}", file=sys.stderr)
    files.write(cues, run.paths.leaks)
    scores = cues.set_index("cue")[["synthetic", "gold", "alarm"]].round(4).to_dict("index")
    files.write_json({"alarms": int(cues.alarm.sum()), "cues": scores}, run.paths.metrics / "audit.json")


if __name__ == "__main__":
    stage(main)
