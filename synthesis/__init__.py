"""A handful of labelled examples and an LLM into a small, deployable model: what the stages and commands use."""

import os
import warnings

# Before torch is imported: its threads spin while they wait, and a machine that has other work then trains and writes
# six to ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Before onnxruntime is imported: it tells Microsoft how it is used (since 1.29), unless this is set.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Of scikit-learn, where a label has fewer rows than there are folds: it is asked about in some of them, as is meant.
warnings.filterwarnings("ignore", "The least populated class", UserWarning)


def cores() -> int:
    """How many cores this process may use. macOS does not say, and there they are all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class UserError(Exception):
    """Something that the user can mend. The message is one line: what is wrong, where, and the way out."""
