"""Zero-shot scoring: photos told by text alone, flat or down a tree of names.

Works with any `ImageTextModel`. A class is told by one or more prompts; its vector is the middle of
theirs (Radford et al., 2021, arXiv 2103.00020, section 3.1.4). Down a tree (country, region, city)
the probabilities of the siblings at each node are a softmax of their own, and multiply along the
path, as StreetCLIP searches (Haas, Alberti and Skreta, 2023, arXiv 2302.00275); a beam keeps the
best nodes of each level.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from shared.evaluation.intervals import Floats
from shared.training.clip_module import class_embeddings
from shared.training.contrast import ImageTextModel

BLOCK = 1024  # photos at a time
TEXTS = "texts"  # in the metadata of a cache


def class_vectors(
    model: ImageTextModel, prompts: Sequence[Sequence[str]], cache: Path | None = None
) -> Tensor:
    """(K, D) vectors of length 1: of each class the middle of its prompts.

    Args:
        model: embeds the texts.
        prompts: of K classes, at least one each.
        cache: a file of text embeddings that were computed before, of this very model; what is
            new is added to it. None: nothing is kept.

    Raises:
        ValueError: for a class without a prompt.
    """
    return class_embeddings(CachedTexts(model, cache) if cache else model, prompts)


@dataclass(frozen=True)
class CachedTexts:
    """A model whose text embeddings are kept in a file.

    Attributes:
        model: the model.
        path: the file; of this model alone.
    """

    model: ImageTextModel
    path: Path

    def text_embeddings(self, texts: Sequence[str]) -> Tensor:
        """(K, D) vectors of K texts: from the file where they are there; the others are added."""
        known, vectors = _read(self.path)
        number = {text: row for row, text in enumerate(known)}
        new = [text for text in dict.fromkeys(texts) if text not in number]
        if new:
            found = self.model.text_embeddings(new)
            vectors = torch.cat([vectors, found]) if known else found
            number |= {text: len(known) + row for row, text in enumerate(new)}
            _write(self.path, [*known, *new], vectors)
        return vectors[[number[text] for text in texts]]


def text_cache(folder: Path, digest: str) -> Path:
    """Where the text embeddings of a model lie.

    Args:
        folder: of the cache.
        digest: of the model's weights.
    """
    safe = "".join(c if c.isalnum() else "-" for c in digest)
    return folder / f"texts-{safe}.safetensors"


def flat_probabilities(images: Tensor, classes: Tensor, scale: float) -> Floats:
    """(N, K) probabilities: the softmax of the scaled similarities.

    Args:
        images: (N, D) vectors of length 1.
        classes: (K, D) vectors of length 1.
        scale: the factor of the similarities.
    """
    if images.ndim != 2 or classes.ndim != 2 or images.shape[1] != classes.shape[1]:
        shapes = tuple(images.shape), tuple(classes.shape)
        msg = f"Expected (N, D) images and (K, D) classes, but got {shapes}"
        raise ValueError(msg)
    return np.asarray((scale * images.double() @ classes.double().T).softmax(dim=1).numpy())


def hierarchical_probabilities(
    images: Tensor,
    levels: Sequence[Tensor],
    parents: Sequence[ArrayLike],
    scale: float,
    beam: int = 0,
) -> list[Floats]:
    """The probabilities of each level of a tree, from the top down.

    Args:
        images: (N, D) vectors of length 1.
        levels: of each level the (K, D) vectors of its classes.
        parents: of each level but the first, (K,) rows of the level above.
        scale: the factor of the similarities.
        beam: how many classes of a level are looked below; 0: all. Classes below the others get
            probability 0, and so does a class above without children.

    Returns:
        Of each level (N, K) probabilities, whose rows sum to 1. The first level's are flat: the
        beam prunes what is below it.

    Raises:
        ValueError: when parents and levels do not fit, or a beam is negative.
    """
    rows = [np.asarray(each, dtype=np.intp) for each in parents]
    sizes = [len(level) for level in levels]
    fits = len(rows) == len(levels) - 1 and all(
        len(own) == size and (len(own) == 0 or (own.min() >= 0 and own.max() < above))
        for own, size, above in zip(rows, sizes[1:], sizes, strict=False)
    )
    if not fits or beam < 0:
        msg = (
            "Expected a parent, a row of the level above, for each class of each level but the "
            f"first, and a beam of 0 or more, but got {[len(r) for r in rows]} parents for "
            f"levels of {sizes} and beam={beam}"
        )
        raise ValueError(msg)
    parts: list[list[Floats]] = [[] for _ in levels]
    for start in range(0, len(images), BLOCK):
        some = images[start : start + BLOCK]
        path = flat_probabilities(some, levels[0], scale)
        parts[0].append(path)
        for number, (level, above) in enumerate(zip(levels[1:], rows, strict=True), start=1):
            logits = np.asarray((scale * some.double() @ level.double().T).numpy())
            path = _kept(path, above, beam)[:, above] * sibling_softmax(logits, above)
            path = path / path.sum(axis=1, keepdims=True)
            parts[number].append(path)
    return [np.concatenate(part) for part in parts]


def sibling_softmax(logits: Floats, parents: NDArray[np.intp]) -> Floats:
    """(N, K) softmax of each row among the classes of one parent.

    Args:
        logits: (N, K).
        parents: (K,) the parent of each class.
    """
    order = np.argsort(parents, kind="stable")
    starts = np.flatnonzero(np.diff(parents[order], prepend=-1))
    counts = np.diff(starts, append=len(order))
    sorted_logits = logits[:, order]
    largest = np.maximum.reduceat(sorted_logits, starts, axis=1)
    shares = np.exp(sorted_logits - np.repeat(largest, counts, axis=1))
    shares /= np.repeat(np.add.reduceat(shares, starts, axis=1), counts, axis=1)
    found = np.empty_like(shares)
    found[:, order] = shares
    return found


def _kept(path: Floats, parents: NDArray[np.intp], beam: int) -> Floats:
    """The probabilities of the classes that are looked below; 0 for the others."""
    has_children = np.zeros(path.shape[1], dtype=bool)
    has_children[parents] = True
    # A floor keeps a path open where all the probability lies on classes without children.
    kept = np.where(has_children, np.maximum(path, np.finfo(np.float64).tiny), 0.0)
    if 0 < beam < path.shape[1]:
        order = np.argsort(-kept, axis=1, kind="stable")
        np.put_along_axis(kept, order[:, beam:], 0.0, axis=1)
    return kept


def _read(path: Path) -> tuple[list[str], Tensor]:
    if not path.is_file():
        return [], torch.empty(0)
    with safe_open(path, framework="pt") as file:
        texts: list[str] = json.loads(file.metadata()[TEXTS])
        return texts, file.get_tensor("vectors")


def _write(path: Path, texts: Sequence[str], vectors: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    save_file(
        {"vectors": vectors.contiguous()}, temporary, metadata={TEXTS: json.dumps(list(texts))}
    )
    temporary.replace(path)
