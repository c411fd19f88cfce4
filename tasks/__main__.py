"""`python -m tasks`."""

import sys

if __name__ == "__main__":
    try:
        from tasks.cli import main
    except KeyboardInterrupt:  # while modules are loaded
        sys.exit(130)
    sys.exit(main())
