"""A handful of labelled examples and an LLM into a small, deployable model: what the stages and commands use."""


class UserError(Exception):
    """Something that the user can mend. The message is one line: what is wrong, where, and the way out."""
