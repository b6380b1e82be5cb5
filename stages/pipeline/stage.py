"""How a stage starts and how it fails."""

import inspect
import sys


class UserError(Exception):
    """Something the user can mend. The message is one line: what is wrong, where, and the way out."""


def number(word: str) -> int:
    """A round's number from the command line. Raises UserError when it is none."""
    if not word.isdecimal():
        raise UserError(f"`{word}` is not the number of a round")
    return int(word)


def run(main, argv=None) -> None:
    """Call `main` with the command line's words; a UserError becomes one line and exit code 1."""
    words = sys.argv[1:] if argv is None else argv
    try:
        try:
            inspect.signature(main).bind(*words)
        except TypeError:
            module = inspect.getmodule(main).__spec__
            usage = " ".join(name.upper() for name in inspect.signature(main).parameters)
            raise UserError(f"usage: python -m {module.name if module else main.__module__} {usage}") from None
        main(*words)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped")
