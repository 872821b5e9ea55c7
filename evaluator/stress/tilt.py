"""A jump-diffusion under another law, with the likelihood ratio of each path.

Under a tilt the independent normals behind the diffusion get a mean, common
jumps come more often and their shared part gets a mean. With B the sums of the
diffusion's normals over S steps, N_c the number of common events of kind c and
M_c the sum of their shared normals, the density of a path under the tilt over
the one under the law itself has the logarithm

    h.B - S |h|^2 / 2 + sum_c N_c log r_c - (r_c - 1) lambda_c T + d M_c - N_c d^2 / 2

(Girsanov for a random walk and a compound Poisson process; Glasserman, "Monte
Carlo methods in financial engineering", 4.6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.stress.processes.assembly import assemble
from evaluator.stress.processes.correlation import cholesky, correlate, scale_increments
from evaluator.stress.processes.jump_diffusion import JumpDiffusion
from evaluator.stress.processes.jumps import common_events
from evaluator.stress.processes.process import YEAR, FloatArray, PriceProcess, Sampling


@dataclass(frozen=True, kw_only=True, eq=False)
class Tilt:
    """By how much a law is tilted."""

    shift: FloatArray  # shape (F,); mean of each independent normal of each step, h
    frequency: FloatArray  # shape (C,); factor of the intensity of common events, r > 0
    severity: float  # mean of the shared part of a common jump's normal, d


@dataclass(frozen=True, kw_only=True, eq=False)
class TiltedPaths:
    """Paths under a tilt and what their likelihood under any tilt depends on."""

    relative: FloatArray  # shape (P, S + 1, A)
    sums: FloatArray  # shape (P, F), B
    events: FloatArray  # shape (P, C), N
    shared: FloatArray  # shape (P, C), M


@dataclass(frozen=True, kw_only=True, eq=False)
class TiltedLaw:
    """A jump-diffusion that can be sampled under tilts."""

    process: JumpDiffusion  # the law itself
    steps: int  # S

    @classmethod
    def of(cls, process: PriceProcess, steps: int) -> TiltedLaw:
        """Take a process apart. ConfigurationError unless it is a jump-diffusion."""
        if not isinstance(process, JumpDiffusion):
            raise ConfigurationError(
                f"rare events are sampled from a jump-diffusion, not from {process.name}; use the "
                "process jump_diffusion, or more paths"
            )
        return cls(process=replace(process, sampling=Sampling.PSEUDO), steps=steps)

    @property
    def factors(self) -> int:
        """F, independent normals a step."""
        return len(self.process.tree.free)

    @property
    def kinds(self) -> int:
        """C, kinds of common events."""
        return len(self.process.jumps.common_intensity)

    @property
    def expected_events(self) -> FloatArray:
        """lambda_c T of each kind, shape (C,)."""
        years = self.steps * self.process.step / YEAR
        return self.process.jumps.common_intensity * years

    def plain(self) -> Tilt:
        """Return the tilt that is none."""
        return Tilt(shift=np.zeros(self.factors), frequency=np.ones(self.kinds), severity=0.0)

    def draw(self, tilt: Tilt, *, seed: int, first: int, count: int) -> TiltedPaths:
        """Draw paths first .. first + count under a tilt."""
        p = self.process
        lower = cholesky(p.correlation)
        deviation = p.variance.step_deviations(step=p.step, steps=self.steps)
        growth = (p.drift - p.jumps.compensator[: self.factors]) * p.step / YEAR
        sums = np.zeros((count, self.factors))
        jumps = replace(
            p.jumps,
            common_intensity=p.jumps.common_intensity * tilt.frequency,
            common_mean=p.jumps.common_mean
            + p.jumps.common_deviation * np.sqrt(p.jumps.common_correlation) * tilt.severity,
        )

        def diffuse(start: int, block: FloatArray) -> None:
            free = block[:, : self.factors]
            free += tilt.shift[None, :, None]
            sums[start - first : start - first + len(block)] = free.sum(axis=2)
            correlate(block, 0, lower)
            scale_increments(block, deviation, growth)

        relative = assemble(
            tree=p.tree,
            pegs=p.pegs,
            jumps=jumps,
            diffuse=diffuse,
            extra_rows=0,
            step=p.step,
            sampling=Sampling.PSEUDO,
            seed=seed,
            first=first,
            count=count,
            steps=self.steps,
        )
        events, shared = common_events(
            jumps, seed=seed, first=first, count=count, step=p.step, steps=self.steps
        )
        return TiltedPaths(
            relative=relative, sums=sums, events=events, shared=shared + events * tilt.severity
        )

    def log_ratio(self, tilt: Tilt, paths: TiltedPaths) -> FloatArray:
        """Return the log density under `tilt` over the one under the law, shape (P,)."""
        d = tilt.severity
        diffusion = paths.sums @ tilt.shift - 0.5 * self.steps * float(tilt.shift @ tilt.shift)
        jumps = paths.events @ (np.log(tilt.frequency) - 0.5 * d * d) + d * paths.shared.sum(axis=1)
        arrivals = float(((tilt.frequency - 1.0) * self.expected_events).sum())
        return np.asarray(diffusion + jumps - arrivals)
