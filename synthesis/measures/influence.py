"""How much each training row helps: the influence function of Koh and Liang (2017) over a student's last layer."""

import numpy as np
import pandas as pd
from scipy.sparse.linalg import LinearOperator, cg

from synthesis.students.base import Student
from synthesis.tasks.base import Task

DAMPING = 5e-3  # as in ProGen


def influence(student: Student, task: Task, rows: pd.DataFrame, gold: pd.DataFrame) -> np.ndarray:
    """What each of `rows` takes off the loss on `gold`, to first order: positive helps, negative harms, (rows,).

    The gold loss is the reverse cross-entropy of ProGen (Ye et al., 2022), which is 1 - p(label) but for a constant and
    spares the influence of a few gold labels that are wrong; the training loss is cross-entropy. The last layer is a
    softmax over what `student.represent` returns, and its damped Hessian is inverted by conjugate gradients, so that
    time and memory are linear in rows and features. For tasks with labels.
    """
    features, shares, truth = _parts(student, task, rows)
    gold_features, gold_shares, gold_truth = _parts(student, task, gold)
    confidence = (gold_shares * gold_truth).sum(axis=1, keepdims=True)  # in gold's label
    slope = (confidence * (gold_shares - gold_truth)).T @ gold_features / len(gold)  # of 1 - p(label)

    def curvature(flat):
        logits = features @ flat.reshape(slope.shape).T
        product = shares * (logits - (shares * logits).sum(axis=1, keepdims=True))
        return (product.T @ features / len(rows)).ravel() + DAMPING * flat.ravel()

    solved, _ = cg(LinearOperator((slope.size, slope.size), curvature, dtype=float), slope.ravel())
    return ((shares - truth) * (features @ solved.reshape(slope.shape).T)).sum(axis=1)


def _parts(student: Student, task: Task, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features with a constant, (rows, width + 1); probabilities and one-hot labels, (rows, labels)."""
    inputs = task.inputs(rows)
    features = np.hstack([student.represent(inputs).astype(float), np.ones((len(rows), 1))])
    truth = np.array(student.names)[None, :] == np.array(task.goals(rows))[:, None]
    return features, student.predict(inputs).astype(float), truth
