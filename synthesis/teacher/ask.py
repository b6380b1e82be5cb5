"""The teacher: whoever writes text when asked, an endpoint, a local model or rules."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from synthesis import UserError, plugins
from synthesis.teacher import spending
from synthesis.teacher.request import Answer, Check, Provider, Request

if TYPE_CHECKING:
    import numpy as np

    from synthesis.params import Section
    from synthesis.run import Run


def provider(run: Run) -> Provider:
    """Who answers: teacher.provider, with the tuned teacher where there is one.

    Raises UserError when there is no such provider, or its settings are wrong.
    """
    name = run.params.teacher.provider
    if run.params.teacher.tune:
        if not any(run.paths.teacher.glob("*")):
            raise UserError(f"{run.paths.teacher} has no tuned teacher: the stage `tune` makes it, run `dvc repro`")
        tuned = run.params.teacher.model_copy(update={"model": model(run)})
        run = dataclasses.replace(run, params=run.params.model_copy(update={"teacher": tuned}))
    return plugins.load("synthesis.providers", name, "params.yaml: teacher.provider").provider(run)


def model(run: Run) -> str:
    """The name of the model that answers: teacher.model, or the folder of the tuned teacher."""
    return run.paths.teacher.as_posix() if run.params.teacher.tune else run.params.teacher.model


def sees_probabilities(run: Run) -> bool:
    """Whether teacher.provider can tell how likely its model finds an answer."""
    return hasattr(provider(run), "log_likelihoods")


class Teacher:
    """The teacher of one stage, with what the stage has spent on it.

    stage: rationales, seed or extrapolate<q>. What the stages before it have spent, and those of other tasks, counts
    towards asking.budget. Raises UserError when verify.teacher needs probabilities that the provider does not see.
    """

    def __init__(self, run: Run, stage: str):
        if run.params.verify.teacher == "likelihood" and not sees_probabilities(run):
            raise UserError(
                "verify.teacher: likelihood needs the probabilities of a model on this machine (provider: "
                f"transformers), and teacher.provider is {run.params.teacher.provider}: set it to drop"
            )
        self.run, self.stage = run, stage
        self.before = spending.before(run.task.name, stage, run.params)
        self.asks: list[dict] = []  # what each `ask` has used
        self.log = {"asked": 0, "stored": 0, "seconds": 0.0}

    def ask(self, requests: Iterable[Request], check: Check | None = None, **sections: Section) -> list[Answer]:
        """One answer for each request, in their order.

        check: the task's own judgement of an answer. sections: `teacher` or `asking` in the place of those of params.
        Raises UserError when the settings are wrong, the endpoint cannot be used, or the budget is reached; what was
        answered by then stays in the response store.
        """
        from synthesis import files  # late, like the loop: they need pandas
        from synthesis.teacher.loop import Asking

        requests = list(requests)
        run = dataclasses.replace(self.run, params=self.run.params.model_copy(update=sections))
        title = f"{run.task.name} {requests[0].step}" if requests else run.task.name
        before = spending.total([self.before, *self.asks])
        if run.params.asking.engine.kind == "ray":
            from synthesis.teacher import engine

            before = engine.warm(run, requests, title, check, before)
        asking = Asking(provider(run), requests, run.params, title, check, before)
        answers = asyncio.run(asking.run())
        self.asks.append(asking.budget.usage)
        self.log["asked"] += asking.budget.asked
        self.log["stored"] += asking.budget.stored
        self.log["seconds"] = round(self.log["seconds"] + asking.seconds, 2)
        files.write_json(self.log, run.paths.logs / f"{self.stage}.json")
        return answers

    def ask_blind(self, requests: list[Request]) -> list[Answer]:
        """Answers to verification prompts: as sure as the teacher can be, and in one word."""
        teacher = self.run.params.teacher
        settings = {"min_words": 0, "temperature": teacher.temperature and 0.0}
        return self.ask(requests, teacher=teacher.model_copy(update=settings))

    def likelihoods(self, requests: list[Request], answers: list[str]) -> np.ndarray:
        """Of each request the probabilities of the answers, if one of these it is: (requests, answers), rows of sum 1.

        NaN where a prompt is too long. No calls are counted, and nothing is stored. The provider must see
        probabilities.
        """
        from scipy.special import softmax  # late: not all stages that ask need it

        sums = provider(self.run).log_likelihoods(requests, answers, f"{self.run.task.name} likelihoods")
        return softmax(sums, axis=1)

    @property
    def usage(self) -> dict:
        """What all that was asked so far has used, as spending.usage describes it.

        Answers out of the response store count like new ones, so that equal runs report equal numbers; what differs
        between them stands in logs/<task>/<stage>.json: asked, stored and seconds.
        """
        return spending.total(self.asks)
