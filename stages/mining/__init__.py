"""What the teacher is shown after a round: one module for each value of method.mine, all of the same shape.

`mine(task, params, q, answers)` returns the mined rows. `answers` are those of the round's student, seed 0, to the
validation rows.
"""
