"""Wait for what other processes do."""

import time


def until(condition):
    """What `condition` returns as soon as that is true; an error after half a minute."""
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("never came true")
