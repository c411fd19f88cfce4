"""`python -m tasks`, and the command `ganmill`."""

import gc
import sys

try:
    from tasks import cli
except KeyboardInterrupt:  # while modules are loaded
    sys.exit(130)


def main() -> int:
    """Run the command; returns the exit code."""
    gc.freeze()  # what is imported lives as long as the process
    try:
        return cli.main()
    finally:
        gc.freeze()  # nothing is left to collect, which saves a tenth of a second at exit


if __name__ == "__main__":
    sys.exit(main())
