"""Whether D learns: it sits out while it is far ahead."""

from pipeline.gan.definition import Balance

MEMORY = 30  # steps over which D's accuracy is averaged


class Lead:
    """D's accuracy averaged over some thirty steps; it starts where guessing is."""

    def __init__(self, rule: Balance) -> None:
        self.rule, self.accuracy = rule, 0.5

    @property
    def learns(self) -> bool:
        """Whether D is to learn in the next step."""
        return not self.rule.skip_above or self.accuracy <= self.rule.skip_above

    def saw(self, accuracy: float) -> None:
        """Take note of D's accuracy in one step."""
        self.accuracy += (accuracy - self.accuracy) / MEMORY
