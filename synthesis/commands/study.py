"""`synthesis study`: runs the arms of a study, one after another, and compares them."""

import sys
from typing import Annotated

from typer import Argument, Option

from synthesis import UserError
from synthesis.commands.compare import compare


def study(
    name: Annotated[str, Argument(metavar="NAME", help="The study: a file of studies/, without its .yaml.")],
    task: Annotated[str | None, Option(metavar="TASK", help="The task; needed where several run.")] = None,
    changes: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="A parameter for every arm, such as student.seeds=5. Repeatable."),
    ] = None,
    each: Annotated[
        list[str] | None,
        Option(metavar="LIST=A,B", help="Values for one of the study's lists, such as budget=100,300. Repeatable."),
    ] = None,
    arms: Annotated[
        list[str] | None, Option(metavar="A,B", help="Only these arms, the baseline, and those whose counts they take.")
    ] = None,
) -> None:
    """Run the arms of a study as DVC experiments, and compare.

    Each arm is an experiment TASK-ARM in a folder of its own, so that the workspace stays as it is; what arms have in
    common runs once. Stop at any time: the same command goes on, and does not repeat an arm that is finished.

    Example: synthesis study arms --task reviews --set student.kind=finetune --arms goldgen,mined-gold
    """
    import yaml

    from synthesis import params
    from synthesis.comparison import study as studies
    from synthesis.comparison.experiment import Experiment
    from synthesis.run import Run

    settings, plan = params.load(), studies.load(name)
    if task is None and len(settings.tasks) > 1:
        raise UserError(f"several tasks run ({', '.join(settings.tasks)}): name one by --task")
    run = Run.of(task or settings.tasks[0], settings)
    task = run.task.name
    try:
        values = {key: yaml.safe_load(words[-1]) for key, words in _by_key("--set", changes).items()}
        lists = {key: yaml.safe_load(f"[{','.join(words)}]") for key, words in _by_key("--each", each).items()}
    except yaml.YAMLError as error:
        raise UserError(f"a value of --set or --each is not YAML: {' '.join(str(error).split())}") from None
    chosen = plan.expand(task, lists, values)
    chosen = studies.choose(chosen, ",".join(arms).split(",")) if arms else chosen
    left_out = {arm.name: arm.needs for arm in chosen if arm.needs and not run.task.can(arm.needs)}
    if len(left_out) == len(chosen):
        lacking = ", ".join(dict.fromkeys(left_out.values()))
        raise UserError(f"study {name}: no arm is left, as tasks of kind {run.task.kind} have no {lacking}")
    if "spread" in plan.compare and len(chosen) - len(left_out) < 2:
        raise UserError(f"study {name} tells how much its arms differ, and there is one: give it two values or more")
    for arm in chosen:
        if arm.name not in left_out and (lost := left_out.keys() & set(arm.counted)):
            raise UserError(f"arm `{arm.name}` takes a count from `{min(lost)}`, which is left out: give it `needs`")
    content = yaml.safe_load(params.FILE.read_text(encoding="utf-8"))
    for arm in chosen:  # what is wrong is said now, and not after hours; no count is known yet
        studies.override(content, arm.overrides(lambda _: [1] * 100), arm.name)

    experiments: dict[str, Experiment] = {}
    for arm in chosen:
        label = f"{task}-{arm.name}"
        if arm.name in left_out:
            print(f"{label}: left out, as tasks of kind {run.task.kind} have no {arm.needs}")
            continue
        print(f"{label}: {arm.what}", file=sys.stderr)
        values = arm.overrides(lambda other: experiments[other].accepted(task)) | {"tasks": [task]}
        targets = [f"{stage}@{task}" for stage in plan.targets]
        experiment = Experiment(label, values, studies.override(content, values, arm.name), targets)
        experiments[arm.name] = experiment
        print(f"{label}: {'was finished before' if experiment.is_finished() else experiment.run()}", flush=True)
    names = [experiment.name for experiment in experiments.values()]
    compare(names, task=task, out=f"reports/{task}-{name}", **dict.fromkeys(plan.compare, True))


def _by_key(option: str, words: list[str] | None) -> dict[str, list[str]]:
    """The values of words KEY=VALUE by their keys. Raises UserError for a word that is none."""
    values = {}
    for word in words or []:
        key, sign, value = word.partition("=")
        if not sign:
            raise UserError(f"{option} {word}: there is no `=` in it, see `synthesis study --help`")
        values.setdefault(key, []).append(value)
    return values
