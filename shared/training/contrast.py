"""Contrast of images and texts: the loss, gathering over processes, and what a model offers.

The loss is CLIP's symmetric cross-entropy (Radford et al., 2021, arXiv 2103.00020, figure 3) over
the similarities of all images and all texts of a batch. Where several images have the same text,
they are not each other's negatives: `REPEATS` says what they are instead.

Large N x N similarities are never held as a whole: blocks of rows are made once for the logarithms
of the sums, and once more for the gradient.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from shared.training.images import Bytes

REPEATS = ("soft", "mask", "negatives")
LARGEST_SCALE = 100.0  # CLIP clips the factor of the similarities there (section 2.5)
FIRST_SCALE = 1 / 0.07  # and begins here
BLOCK_ENTRIES = 2**22  # similarities at a time on a CPU, 16 MB
GPU_BLOCK_ENTRIES = 2**26  # and on a GPU, 256 MB: larger blocks keep it busy


class ImageTextModel(Protocol):
    """A model that puts images and texts into one space, in which what belongs together is near."""

    @property
    def scale(self) -> float:
        """The factor that makes logits of cosine similarities."""

    def image_embeddings(self, images: Bytes) -> Tensor:
        """(N, D) float32 vectors of length 1 on the CPU, of (N, H, W, 3) bytes."""

    def text_embeddings(self, texts: Sequence[str]) -> Tensor:
        """(K, D) float32 vectors of length 1 on the CPU, of K texts."""


def contrastive_loss(
    image_embeddings: Tensor,
    text_embeddings: Tensor,
    scale: Tensor,
    groups: Tensor | None = None,
    repeats: str = "soft",
) -> Tensor:
    """The mean of two cross-entropies: each image among the texts, and each text among the images.

    Args:
        image_embeddings: (N, D); brought to length 1 here.
        text_embeddings: (N, D); row i belongs to row i of the images.
        scale: () the factor of the cosine similarities.
        groups: (N,) whole numbers, equal for equal texts; None: all differ.
        repeats: what rows of the same group are to each other. `"soft"`: all are right, and share
            the target evenly. `"mask"`: they are left out of each other's softmax. `"negatives"`:
            they are wrong, as in CLIP.

    Returns:
        () the loss, float32.

    Raises:
        ValueError: for other shapes, or another `repeats`.
    """
    _check(image_embeddings, text_embeddings, groups, repeats)
    own = None if repeats == "negatives" else groups
    with torch.autocast(image_embeddings.device.type, enabled=False):
        images = F.normalize(image_embeddings.float(), dim=1) * scale.float()
        texts = F.normalize(text_embeddings.float(), dim=1)
        loss: Tensor = _Loss.apply(images, texts, own, repeats == "mask")
    return loss


def _check(images: Tensor, texts: Tensor, groups: Tensor | None, repeats: str) -> None:
    if images.ndim != 2 or images.shape != texts.shape or not len(images):
        found = (tuple(images.shape), tuple(texts.shape))
        msg = f"Expected N embeddings of images and of texts, both (N, D), but got {found}"
        raise ValueError(msg)
    if groups is not None and groups.shape != images.shape[:1]:
        msg = f"Expected a group for each of {len(images)} rows, but got {tuple(groups.shape)}"
        raise ValueError(msg)
    if repeats not in REPEATS:
        msg = f"Expected repeats to be one of {REPEATS}, but got {repeats!r}"
        raise ValueError(msg)


class _Loss(torch.autograd.Function):
    """The loss of logits `images @ texts.T`: log-sum-exp of rows and columns, minus what is right.

    What is right of an image is spread over the texts of its group, which by linearity is one dot
    product with their mean; so it is for texts, since the targets are symmetric.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        images: Tensor,
        texts: Tensor,
        groups: Tensor | None,
        is_masked: bool,
    ) -> Tensor:
        n = len(images)
        masked, shared = (groups, None) if is_masked else (None, groups)
        rows = images.new_empty(n)
        columns = images.new_full((n,), -torch.inf)
        kept = None
        for part, logits in _blocks(images, texts, masked):
            rows[part] = logits.logsumexp(dim=1)
            columns = torch.logaddexp(columns, logits.logsumexp(dim=0))
            kept = logits if len(logits) == n else None  # one block: not made again
        ctx.save_for_backward(images, texts, rows, columns, groups, kept)
        ctx.is_masked = is_masked
        right = torch.dot(images.flatten(), _group_means(texts, shared).flatten())
        return (rows.sum() + columns.sum()) / (2 * n) - right / n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401
        images, texts, rows, columns, groups, kept = ctx.saved_tensors
        n = len(images)
        masked, shared = (groups, None) if ctx.is_masked else (None, groups)
        of_images, of_texts = torch.empty_like(images), torch.zeros_like(texts)
        blocks = _blocks(images, texts, masked) if kept is None else [(slice(0, n), kept)]
        for part, logits in blocks:
            shares = (logits - rows[part, None]).exp_()
            shares += (logits - columns).exp_()
            torch.mm(shares, texts, out=of_images[part])
            of_texts.addmm_(shares.T, images[part])
        of_images.sub_(_group_means(texts, shared), alpha=2)
        of_texts.sub_(_group_means(images, shared), alpha=2)
        factor = gradient / (2 * n)
        return of_images.mul_(factor), of_texts.mul_(factor), None, None


def _group_means(vectors: Tensor, groups: Tensor | None) -> Tensor:
    """(N, D) for each row the mean of the rows of its group; without groups the row itself."""
    if groups is None:
        return vectors
    _, rows, counts = torch.unique(groups, return_inverse=True, return_counts=True)
    totals = vectors.new_zeros(len(counts), vectors.shape[1]).index_add(0, rows, vectors)
    means: Tensor = (totals / counts[:, None])[rows]
    return means


def _blocks(images: Tensor, texts: Tensor, groups: Tensor | None) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of rows of the logits; other members of a row's group are at minus infinity."""
    n = len(images)
    entries = GPU_BLOCK_ENTRIES if images.is_cuda else BLOCK_ENTRIES
    size = max(1, entries // n)
    for start in range(0, n, size):
        part = slice(start, min(start + size, n))
        logits = images[part] @ texts.T
        if groups is not None:
            same = groups[part, None] == groups
            own = torch.arange(part.start, part.stop, device=groups.device)
            same[torch.arange(len(own), device=groups.device), own] = False
            logits.masked_fill_(same, -torch.inf)
        yield part, logits


class _Gathered(torch.autograd.Function):
    """All processes' rows; the gradient of a row is the sum over the processes."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:  # noqa: ANN401
        ctx.rows = len(own)
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        summed = gradient.contiguous().clone()
        dist.all_reduce(summed)
        start = dist.get_rank() * ctx.rows
        return summed[start : start + ctx.rows]


def gathered(own: Tensor) -> Tensor:
    """The rows of all processes, in their order; gradients flow back to the process of each row.

    Every process then computes the loss of the whole batch. The gradient that arrives at a row is
    the sum over the processes, and the mean that DistributedDataParallel takes over them undoes
    that: parameters get the gradient of the one loss of the whole batch.

    Args:
        own: (n, ...) the same shape in each process.

    Returns:
        (processes * n, ...); `own` itself in a single process.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return own
    gather: Callable[[Tensor], Tensor] = _Gathered.apply
    return gather(own)
