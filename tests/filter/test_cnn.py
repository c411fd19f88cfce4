"""The small CNNs of the classifier."""

import numpy as np
import pytest

from pipeline.filter.cnn import SIDE, NetworkTrainer, TrainingSet

COUNT, COMPONENTS = 12, 3


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    rng = np.random.default_rng(0)
    return TrainingSet(
        images=rng.integers(0, 256, (COUNT, SIDE, SIDE, 3)).astype(np.uint8),
        sampling_probability=np.full(COUNT, 1 / COUNT),
        target=(np.arange(COUNT) % 2).astype(np.float32),
        components=rng.normal(size=(COUNT, COMPONENTS)).astype(np.float32),
    )


@pytest.mark.long
def test_a_network_does_not_depend_on_those_that_were_trained_before_it(training_set: TrainingSet) -> None:
    def train(trainer: NetworkTrainer, seed: int) -> np.ndarray:
        return trainer.train(training_set, seed=seed, advance=lambda: None)(training_set.images)

    together, alone = NetworkTrainer(COMPONENTS, steps=3), NetworkTrainer(COMPONENTS, steps=3)
    first = together.train(training_set, seed=4, advance=lambda: None)
    before = first(training_set.images)

    second = train(together, seed=5)

    assert np.array_equal(second, train(alone, seed=5))
    assert np.array_equal(before, first(training_set.images))  # a network that is made keeps its weights
    assert not np.array_equal(before, second)


@pytest.mark.long
def test_each_batch_is_announced_and_a_stop_leaves_the_trainer_usable(training_set: TrainingSet) -> None:
    trainer, announced = NetworkTrainer(COMPONENTS, steps=4), []

    def stop() -> None:
        announced.append(1)
        if len(announced) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(training_set, seed=1, advance=stop)
    again = trainer.train(training_set, seed=1, advance=lambda: announced.append(1))

    assert len(announced) == 2 + 4
    alone = NetworkTrainer(COMPONENTS, steps=4).train(training_set, seed=1, advance=lambda: None)
    assert np.array_equal(again(training_set.images), alone(training_set.images))
