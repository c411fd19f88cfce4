"""One step of training: what it does, and how each backend differentiates and compiles it."""

from pipeline.gan.step.compiled import Step, compile_step
from pipeline.gan.step.plan import Inputs, Plan
from pipeline.gan.step.update import METRICS

__all__ = ["METRICS", "Inputs", "Plan", "Step", "compile_step"]
