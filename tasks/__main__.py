"""`python -m tasks`."""

import sys

if __name__ == "__main__":
    from tasks.cli import main

    sys.exit(main())
