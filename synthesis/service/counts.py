"""What the service has done, in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Histogram:
    """How many values were at most as large as each bound."""

    def __init__(self, bounds: tuple[float, ...]):
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str) -> list[str]:
        lines, total = [], 0
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self.sum}", f"{name}_count {total}"]


class Counts:
    """requests: to /predict, by the status of the reply. seconds: each took. batches: inputs that were read at once."""

    def __init__(self):
        self.requests, self.seconds, self.batches = Counter(), Histogram(SECONDS), Histogram(SIZES)

    def text(self, waiting: int) -> str:
        """All of it. waiting: inputs that wait just now."""
        requests = [f'student_requests_total{{status="{code}"}} {n}' for code, n in sorted(self.requests.items())]
        parts = [
            ("student_requests_total", "counter", "Requests to /predict, by the status of the reply.", requests),
            ("student_request_seconds", "histogram", "How long such a request took.", None),
            ("student_batch_inputs", "histogram", "Inputs that the model read together.", None),
            (
                "student_waiting_inputs",
                "gauge",
                "Inputs that wait for the model.",
                [f"student_waiting_inputs {waiting}"],
            ),
        ]
        histograms = {"student_request_seconds": self.seconds, "student_batch_inputs": self.batches}
        text = []
        for name, kind, told, lines in parts:
            text += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
            text += histograms[name].lines(name) if lines is None else lines
        return "\n".join(text) + "\n"
