"""Memory of what the generator has made."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Replay(nn.Module):
    """All fakes so far, remembered by a sample of fixed size; a batch that passes through comes out half old.

    Each fake ever made is in the sample with the same chance (reservoir sampling: Vitter 1985, algorithm R), so that a
    trick of long ago is not forgotten, as it is by a pool of the newest (Shrivastava et al. 2017, arXiv 1612.07828,
    section 2.3, from which the half is).
    """

    per_process = True  # each process remembers its own

    def __init__(self, size: int, shape: Sequence[int]):
        super().__init__()
        self.register_buffer("kept", torch.zeros(size, *shape))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.kept: Tensor
        self.seen: Tensor

    @torch.no_grad()
    def forward(self, fake: Tensor) -> Tensor:
        """The fakes [B, ...], the second half of them replaced by remembered ones once there are any."""
        count, num_old = min(int(self.seen), len(self.kept)), len(fake) // 2
        shown = fake
        if count and num_old:
            old = self.kept[torch.randint(count, (num_old,), device=fake.device)]
            shown = torch.cat([fake[num_old:], old.to(fake.dtype)])
        if fake.isfinite().all():  # what is kept is not taken back with a skipped step
            self._remember(fake)
        return shown

    def _remember(self, fake: Tensor) -> None:
        """Fake number t takes a place among the first t at random, and is kept where that lies within the size."""
        first, size = int(self.seen), len(self.kept)
        numbers = torch.arange(first, first + len(fake))
        places = torch.where(numbers < size, numbers, (torch.rand(len(fake)) * (numbers + 1)).long())
        for picture, place in zip(fake, places.tolist(), strict=True):
            if place < size:
                self.kept[place] = picture
        self.seen += len(fake)
