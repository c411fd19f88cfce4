"""When a training ends, and which schedules depend on that."""

from pipeline.gan.config import Definition


def end_dependent_schedules(definition: Definition) -> list[str]:
    """The fields of `definition` that make a step depend on the number of epochs: learning rates that decay to the end.

    A schedule with `over`, and all that counts images (warm-up, growing, averaging, augmentation), does not.
    """
    networks = {"generator": definition.generator, "discriminator": definition.discriminator}
    return [
        f"{name}.optimizer.schedule"
        for name, network in networks.items()
        if network.optimizer.schedule.kind in ("linear", "cosine") and not network.optimizer.schedule.over
    ]
