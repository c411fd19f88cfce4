"""The properties of each loss, and the combinations of fields that cannot work.

Each check raises a ValueError of one line that says why.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.gan.config.json_text import short_json

if TYPE_CHECKING:
    from pipeline.gan.config.schema import Definition, Discriminator, LeCam, Network, Optimizer, Penalty, Schedule


@dataclass(frozen=True, kw_only=True)
class LossProperties:
    """What a loss takes the discriminator's logits for."""

    has_labels: bool = False  # reals and fakes have labels, which can be smoothed
    is_critic: bool = False  # D gives scores of any size: no probabilities, and no accuracy
    is_paired: bool = False  # each fake is compared with a real

    @property
    def has_zero(self) -> bool:
        """Whether the sign of a logit is D's decision: above 0 real, below 0 fake.

        It is not for critics and paired losses: there only the difference of two logits has a meaning.
        """
        return not (self.is_critic or self.is_paired)


# By the name that a definition has for it; `training.losses` makes each `Loss` of these and of its functions
LOSS_PROPERTIES = {
    "minimax": LossProperties(has_labels=True),
    "non_saturating": LossProperties(has_labels=True),
    "least_squares": LossProperties(has_labels=True),
    "wasserstein": LossProperties(is_critic=True),
    "hinge": LossProperties(),
    "relativistic": LossProperties(is_paired=True),
}
WITH_LABELS = [name for name, found in LOSS_PROPERTIES.items() if found.has_labels]


def check_schedule(schedule: Schedule) -> None:
    """Check the schedule of a learning rate."""
    if schedule.kind == "constant" and (schedule.final or schedule.over):
        raise ValueError('kind "constant": the learning rate stays as it is, so final and over would do nothing; set'
                         ' kind to "linear" or "cosine", or remove them')  # fmt: skip

    _check_drop(schedule)


def _check_drop(schedule: Schedule) -> None:
    if schedule.kind != "drop":
        fields = type(schedule).model_fields
        if any(getattr(schedule, name) != fields[name].default for name in ("factor", "at", "plateaus")):
            raise ValueError(f'kind "{schedule.kind}": factor, at and plateaus belong to drops, and would do nothing;'
                             ' set kind to "drop", or remove them')  # fmt: skip
        return
    if schedule.final or schedule.over:
        raise ValueError('kind "drop": final and over belong to a decay, and would do nothing; remove them, or set kind'
                         ' to "linear" or "cosine"')  # fmt: skip
    if not schedule.at and not schedule.plateaus:
        raise ValueError('kind "drop": nothing says when the learning rate drops; name images in at, for example'
                         " [200000], or set plateaus to 1")  # fmt: skip
    if any(later <= before for before, later in itertools.pairwise((0, *schedule.at))):
        raise ValueError(f"at = {short_json(schedule.at)}: numbers of images above 0 in rising order are needed, each"
                         " of them once")  # fmt: skip
    if schedule.at and schedule.at[0] < schedule.warmup:
        raise ValueError(f"at = {short_json(schedule.at)} and warmup = {schedule.warmup}: the learning rate would drop"
                         " before it has risen; raise at, or lower warmup")  # fmt: skip


def check_optimizer(optimizer: Optimizer) -> None:
    """Check that an optimizer has no setting that it ignores."""
    unused = {"rmsprop": "beta_1", "sgd": "beta_2"}.get(optimizer.name)
    if unused and getattr(optimizer, unused) != type(optimizer).model_fields[unused].default:
        memory = "the gradient" if unused == "beta_1" else "squared gradients"
        raise ValueError(f'{unused} and name "{optimizer.name}": it has no memory of {memory}; remove {unused}, or'
                         ' set name to "adam"')  # fmt: skip


def check_penalty(penalty: Penalty) -> None:
    """Check one penalty."""
    if penalty.every > 1 and not penalty.weight:
        raise ValueError(f"every = {penalty.every} and weight = 0: there is no penalty to apply; set weight, or remove"
                         " every")  # fmt: skip


def check_lecam(lecam: LeCam) -> None:
    """Check LeCam regularisation."""
    if not lecam.weight and lecam.decay != type(lecam).model_fields["decay"].default:
        raise ValueError("decay and weight = 0: no mean is compared with; set weight, or remove decay")


def check_network(network: Network) -> None:
    """Check what must hold for both networks."""
    if network.weights == "weight" and network.norm == "batch":
        raise ValueError('weights "weight" and norm "batch" undo each other: batch norm removes the length of a kernel'
                         ' that weight norm has learned; set weights to "free" or norm to "none"')  # fmt: skip
    if network.width > network.max_width:
        raise ValueError(f"width = {network.width} is above max_width = {network.max_width}: no layer would be so wide;"
                         " raise max_width, or lower width")  # fmt: skip
    if any(side < 4 for side in network.attention):
        raise ValueError(f"attention = {short_json(network.attention)}: the coarsest feature maps are 4 to 7 pixels"
                         " wide, so no side is below 4; name finer ones, for example [32]")  # fmt: skip
    if len(set(network.attention)) < len(network.attention):
        raise ValueError(f"attention = {short_json(network.attention)}: a side appears twice; name each once")


def check_discriminator(network: Discriminator) -> None:
    """Check what must hold for the discriminator alone."""
    if network.weights == "spectral" and network.norm == "batch":
        raise ValueError('weights "spectral" and norm "batch": batch norm cancels the bound that spectral norm puts on'
                         ' D; set the norm of the discriminator to "none"')  # fmt: skip


def check_definition(definition: Definition) -> None:
    """Check what must hold between the parts of a definition."""
    _check_wasserstein(definition)
    _check_norm(definition)
    _check_vision_aid(definition)
    _check_smoothing(definition)
    _check_balance(definition)
    _check_augment(definition)
    _check_multi_scale(definition)  # before `growing`, whose remedies would not help then
    _check_growing(definition)


def _check_norm(definition: Definition) -> None:
    if definition.discriminator.norm != "batch":
        return
    remedy = 'set the norm of the discriminator to "none" or "layer"'
    for name in ("gradient", "r1", "r2"):
        if getattr(definition.penalties, name).weight:
            raise ValueError(f"penalties: {name} and batch norm in the discriminator: the penalty is on D's slope at"
                             f" one picture, but batch norm mixes the pictures of a batch; {remedy}")  # fmt: skip
    if LOSS_PROPERTIES[definition.loss].is_paired:
        raise ValueError(f'loss "{definition.loss}" and batch norm in the discriminator: reals and fakes are normalised'
                         f" separately, which removes the difference that the loss compares; {remedy}")  # fmt: skip


def _check_wasserstein(definition: Definition) -> None:
    penalties, is_critic = definition.penalties, LOSS_PROPERTIES[definition.loss].is_critic
    slopes = (penalties.gradient, penalties.r1, penalties.r2)
    network = definition.discriminator
    spectral = network.weights == "spectral" and network.norm == "none"  # layer norm cancels the bound
    bounded = penalties.clip or spectral or any(rule.weight for rule in slopes)
    if is_critic and not bounded:
        raise ValueError(f'loss "{definition.loss}": nothing bounds D\'s slope, so the loss diverges; set'
                         ' penalties.gradient.weight to 10 and the norm of the discriminator to "layer" (WGAN-GP), or'
                         " penalties.clip to 0.01 (WGAN)")  # fmt: skip
    if penalties.clip and not is_critic:
        raise ValueError(f'penalties.clip = {penalties.clip:g}: clipping is for the loss "wasserstein"; set it to 0')
    if penalties.clip and penalties.gradient.weight:
        raise ValueError("penalties: clip and gradient both bound D's slope; set one of them to 0")
    if penalties.clip and network.weights == "spectral":
        raise ValueError('penalties.clip and weights "spectral" in the discriminator: spectral norm undoes the clipping'
                         ' of a kernel; set penalties.clip to 0, or weights to "free"')  # fmt: skip


def _check_vision_aid(definition: Definition) -> None:
    if definition.discriminator.vision_aided and LOSS_PROPERTIES[definition.loss].is_critic:
        raise ValueError(f'discriminator.vision_aided and loss "{definition.loss}": nothing bounds the slope of the'
                         ' frozen network, so the loss diverges; set loss to "hinge", or vision_aided to'
                         ' false')  # fmt: skip


def _check_smoothing(definition: Definition) -> None:
    smoothing = definition.smoothing
    if (smoothing.real or smoothing.fake) and not LOSS_PROPERTIES[definition.loss].has_labels:
        raise ValueError(f'smoothing and loss "{definition.loss}": it has no labels to smooth; set smoothing to 0,'
                         f" or loss to one of {', '.join(WITH_LABELS)}")  # fmt: skip
    if smoothing.real + smoothing.fake >= 1:
        raise ValueError("smoothing: reals and fakes get the same label, so D cannot distinguish them; lower one of"
                         " them")  # fmt: skip


def _check_balance(definition: Definition) -> None:
    skip = definition.balance.skip_above
    if skip and LOSS_PROPERTIES[definition.loss].is_critic:
        raise ValueError("balance.skip_above: D of a Wasserstein GAN has no accuracy, and a stronger D is a better"
                         " one; set it to 0")  # fmt: skip
    if 0 < skip <= 0.5:
        raise ValueError(f"balance.skip_above = {skip:g}: guessing is right half the time, so D would never learn;"
                         " set it to 0.8 or so")  # fmt: skip


def _check_augment(definition: Definition) -> None:
    augment = definition.augment
    if len(set(augment.policies)) < len(augment.policies):
        raise ValueError(f"augment.policies = {short_json(augment.policies)}: a policy appears twice; name each once")


def _check_growing(definition: Definition) -> None:
    growing = definition.growing
    default = type(growing)()
    if not growing.start and (growing.fade, growing.hold) != (default.fade, default.hold):
        raise ValueError("growing: fade and hold do nothing while start is 0; set start to 8 or so, or remove them")
    if growing.start and growing.start < 8:
        raise ValueError(f"growing.start = {growing.start}: the first pictures need a side of at least 8; set it to 8,"
                         " or to 0 for full size from the start")  # fmt: skip
    if growing.start and definition.discriminator.reconstruction:
        raise ValueError("growing and discriminator.reconstruction: the discriminator of the first pictures has no map"
                         " to decode; set growing.start or discriminator.reconstruction to 0")  # fmt: skip
    if growing.start and definition.generator.norm == definition.discriminator.norm == "batch":
        raise ValueError("growing and batch norm in both networks: a side that fades in has batch statistics of its own"
                         ' and D detects fakes by them; set the norm of the discriminator to "none"')  # fmt: skip


def _check_multi_scale(definition: Definition) -> None:
    """Nothing else is refused: every other part works on all sides of a picture, or on D's features of them."""
    if definition.multi_scale and definition.growing.start:
        raise ValueError("multi_scale and growing: growing trains one side after the other and fades each in, and"
                         " multi_scale trains all sides from the first step, so that nothing is left to grow; set"
                         " growing.start to 0, or multi_scale to false")  # fmt: skip
