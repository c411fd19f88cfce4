"""Measure the DCGAN of 2016 (A. Radford et al.) in PyTorch, at any size that doubles from 4 px, for comparison on the
same device.

    python benchmarks/torch_dcgan.py [--side 64] [--batch 64] [--width 64] [--precision bfloat16]

A step is the same as in this project: the discriminator learns from reals and samples, then the generator learns from
the updated discriminator with the same samples; both with Adam. Weights are in channels_last, both networks are
compiled, bfloat16 uses autocast, float32 may use TF32 like XLA. One batch of reals stays on the device. Needs only
PyTorch.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.turns import time_turns

LATENT, RATE, BETAS = 100, 2e-4, (0.5, 0.99)
WIDEST = 512  # channels at the coarsest sides, as the project's default has it


def measure_torch(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Tell the figures of `job`: side, batch, precision, width, and seconds of a turn."""
    pair = Pair(side=job["side"], batch=job["batch"], width=job["width"] or 64, precision=job["precision"])
    begun = time.perf_counter()
    told = pair.compile()
    compiled = time.perf_counter() - begun
    timing = time_turns(pair.take, seconds=job["seconds"])
    tell(
        images_per_second=job["batch"] / timing.median,
        slowest_images_per_second=job["batch"] / timing.slowest,
        fastest_images_per_second=job["batch"] / timing.fastest,
        ms_per_step=1000 * timing.median,
        compile_seconds=compiled,
        batch=job["batch"],
        generator_weights=sum(weight.numel() for weight in pair.generator.parameters()),
        discriminator_weights=sum(weight.numel() for weight in pair.discriminator.parameters()),
        peak_bytes=_peak(),
        torch=torch.__version__,
        torch_device=torch.cuda.get_device_name() if pair.device == "cuda" else "cpu",
        compiled=told,
    )


class Pair:
    """A generator and a discriminator that learn from one batch of noise."""

    def __init__(self, *, side: int, batch: int, width: int, precision: str) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True
        torch.set_float32_matmul_precision("high")
        torch.manual_seed(0)
        self.batch, self.half = batch, precision == "bfloat16"
        widths = _widths(side, width)
        self.generator, self.discriminator = self._there(_generator(widths)), self._there(_discriminator(widths))
        self.reals = self._there(torch.rand(batch, 3, side, side) * 2 - 1)
        self._optimizers = [self._adam(network) for network in (self.generator, self.discriminator)]
        self._draw, self._judge = self.generator, self.discriminator

    def compile(self) -> str:
        """Compile both networks and take a step; what kept them from it, or 'yes'. Without it they run as they are."""
        self._draw, self._judge = torch.compile(self.generator), torch.compile(self.discriminator)
        try:
            self.take(1)
        except Exception as error:  # of any part of the compiler, or what it calls
            self._draw, self._judge = self.generator, self.discriminator
            self.take(1)
            return f"no: {type(error).__name__}"
        return "yes"

    def take(self, steps: int) -> None:
        """Take so many steps, and wait for the device."""
        for _ in range(steps):
            self._step()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def _step(self) -> None:
        g_optimizer, d_optimizer = self._optimizers
        d_optimizer.zero_grad(set_to_none=True)
        with self._cast():
            fakes = self._draw(torch.randn(self.batch, LATENT, 1, 1, device=self.device))
            loss = _loss(self._judge(self.reals), 1.0) + _loss(self._judge(fakes.detach()), 0.0)
        loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad(set_to_none=True)
        with self._cast():
            loss = _loss(self._judge(fakes), 1.0)
        loss.backward()
        g_optimizer.step()

    def _cast(self) -> torch.autocast:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.half)

    def _there(self, thing: Any) -> Any:
        return thing.to(self.device, memory_format=torch.channels_last)

    def _adam(self, network: nn.Module) -> torch.optim.Adam:
        return torch.optim.Adam(network.parameters(), RATE, BETAS, fused=self.device == "cuda")


def _widths(side: int, width: int) -> list[int]:
    """Channels from half of `side` down to 4 px."""
    halvings = side.bit_length() - 3
    if side != 4 << halvings or halvings < 1:
        raise ValueError(f"{side} px do not come of 4 px by doubling")
    return [min(width << level, WIDEST) for level in range(halvings)]


def _generator(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for place, (into, out) in enumerate(zip([LATENT, *widths[:0:-1]], widths[::-1], strict=True)):
        stride, pad = (1, 0) if place == 0 else (2, 1)
        layers += [nn.ConvTranspose2d(into, out, 4, stride, pad, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return _initial(nn.Sequential(*layers, nn.ConvTranspose2d(widths[0], 3, 4, 2, 1), nn.Tanh()))


def _discriminator(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for into, out in itertools.pairwise(widths):
        layers += [nn.Conv2d(into, out, 4, 2, 1, bias=False), nn.BatchNorm2d(out), nn.LeakyReLU(0.2)]
    return _initial(nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4), nn.Flatten(0)))


def _initial(network: nn.Sequential) -> nn.Sequential:
    """Kernels from N(0, 0.02), as the paper has them."""
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
    return network


def _loss(logits: Tensor, real: float) -> Tensor:
    logits = logits.float()
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))


def _peak() -> int:
    """Bytes of the GPU's memory in use at most; without a GPU, of this process'."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    from benchmarks.memory import resident_peak

    return resident_peak()


def main() -> None:
    """Print the figures as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--precision", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn")
    measure_torch(vars(parser.parse_args()), lambda **found: print(json.dumps(found)))


if __name__ == "__main__":
    main()
