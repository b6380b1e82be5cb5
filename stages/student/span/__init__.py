"""Students that answer a question by a span of its context: kinds as those of stages.student, with other answers."""
