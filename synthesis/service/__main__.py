"""`python -m synthesis.service FOLDER`: serve an export where nothing of this repository is but what lies beside it."""

import argparse
import sys

from synthesis import UserError
from synthesis.service.app import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m synthesis.service", description=__doc__)
    parser.add_argument("folder", help="what `synthesis export` wrote")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--threads", type=int, help="that the model uses; by default as many as there are processors")
    arguments = parser.parse_args()
    try:
        serve(**vars(arguments))
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped")


if __name__ == "__main__":
    main()
