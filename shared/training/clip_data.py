"""What contrastive training reads and begins with: captions of its photos, and the model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shared.processing.places import place_keys
from shared.processing.regions import regions_folder
from shared.processing.surroundings import surroundings_folder
from shared.training import distributed
from shared.training.backbones import Normalisation
from shared.training.batches import Split
from shared.training.caption_facts import known_surroundings, photo_facts
from shared.training.captions import CaptionStyle
from shared.training.clip import TINY, ClipEncoder, digest_of_clip, load_clip
from shared.training.clip_module import CaptionSource, Choices
from shared.training.clip_tiny import caption_tokenizer, tiny_clip
from shared.training.images import Bytes, Preprocessing
from shared.training.inputs import Lists, PhotoList

READ_EPOCHS = 3  # epochs of captions that a stand-in's tokenizer reads
STAND_IN = "stand-in: random weights, and a tokenizer trained on the captions"


@dataclass(frozen=True)
class ClipData:
    """The photos of a contrastive training.

    Attributes:
        train, validation: the photos of the countries that training may see.
        source: the captions of `train`.
        seen: their countries, sorted.
        unseen: countries of the lists that were left out, sorted.
    """

    train: PhotoList
    validation: PhotoList
    source: CaptionSource
    seen: list[str]
    unseen: list[str]

    @property
    def countries(self) -> list[str]:
        """All countries, seen and unseen, sorted."""
        return sorted([*self.seen, *self.unseen])

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return {
            "seen": self.seen,
            "unseen": self.unseen,
            "training_photos": len(self.train),
            "validation_photos": len(self.validation),
        }

    def splits(self, train: Bytes, validation: Bytes) -> tuple[Split, Split]:
        """The photos with their numbers, and validation photos with those of their countries.

        Args:
            train: the pixels of the whole training list.
            validation: those of the whole validation list.
        """
        codes = self.validation.records["country_code"].astype(str)
        classes = torch.from_numpy(np.searchsorted(self.seen, codes).astype(np.int64))
        return (
            self.train.split(train, torch.arange(len(self.train))),
            self.validation.split(validation, classes),
        )

    def choices(self, prompts: Sequence[Sequence[str]]) -> Choices:
        """What validation photos are told among; `prompts` of the seen countries."""
        return Choices(self.seen, prompts)


def clip_data(
    lists: Lists, dataset: str, unseen: Sequence[str], style: CaptionStyle, seed: int
) -> ClipData:
    """The photos to learn from with their captions, without those of some countries.

    Args:
        lists: of `read_lists`.
        dataset: whose regions and surroundings are told, where their notebooks have run.
        unseen: countries that training must not see, neither to learn from nor to choose by.
        style: of the captions.
        seed: feeds the captions' draws.

    Raises:
        ValueError: when fewer than two countries are left.
    """
    codes = lists.train.records["country_code"].astype(str)
    all_codes = sorted(set(codes) | set(lists.validation.records["country_code"].astype(str)))
    seen = sorted(set(codes) - set(unseen))
    if len(seen) < 2:
        msg = f"Expected photos of two countries or more, but without {list(unseen)}: {seen}"
        raise ValueError(msg)
    train, validation = (
        part.only(part.records["country_code"].isin(seen).to_numpy())
        for part in (lists.train, lists.validation)
    )
    facts = photo_facts(train.records, dataset, all_codes, known_surroundings(dataset))
    places = [str(key) for key in place_keys(train.records)]
    source = CaptionSource(facts, places, style, seed)
    return ClipData(
        train, validation, source, seen, [code for code in all_codes if code not in seen]
    )


def fact_files(dataset: str) -> list[Path]:
    """The files beside the records that captions tell from, of those that there are."""
    folder = regions_folder(dataset)
    files = [folder / name for name in ("partition.parquet", "regions.parquet")]
    files.append(surroundings_folder(dataset) / "surroundings.parquet")
    return [path for path in files if path.is_file()]


def build_encoder(
    model: str,
    source: CaptionSource,
    size: tuple[int, int],
    fit_mode: str = "crop",
    sizes: dict[str, int] | None = None,
    revision: str = "",
) -> tuple[ClipEncoder, str]:
    """The model to train, and where its weights are from.

    Args:
        model: a name or folder of `load_clip`, or `"tiny"`.
        source: the captions, on which a stand-in's tokenizer is trained.
        size: width and height of the input, pixels; (0, 0) for the model's own.
        fit_mode: how another aspect is brought to this size.
        sizes: of a stand-in (see `TINY_SIZES`), those that differ.
        revision: of a name: a commit.
    """
    if model == TINY:
        rows = range(len(source))
        texts = sorted({t for epoch in range(READ_EPOCHS) for t in source.of(rows, epoch)})
        given = dict(sizes or {})
        length = given.get("text_length", 64)
        tokenizer = caption_tokenizer(texts, length)
        width, height = size if all(size) else (112, 64)
        network = tiny_clip(tokenizer, given, width, source.seed)
        pixels = Preprocessing(width, height, fit_mode)
        return ClipEncoder(network, tokenizer, pixels, Normalisation.of("half")), STAND_IN
    with distributed.one_process_first():
        encoder = load_clip(model, revision)
    if all(size):
        encoder = replace(encoder, preprocessing=Preprocessing(*size, fit_mode))
    return replace(encoder, facts={}), digest_of_clip(model, revision)
