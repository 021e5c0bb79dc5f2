"""Contrastive image-text models of transformers, by name, from a folder, or tiny from a config.

`ClipEncoder` is what all evaluation uses of such a model (the protocol `ImageTextModel`). Saved,
it is a folder of transformers' own format (`model.safetensors`, `config.json`, `tokenizer.json`),
which `CLIPModel.from_pretrained` reads, with `captions.json` beside it: how photos become its
input, and how it was trained. No pickles.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from shared.manifest import fingerprint
from shared.paths import root, shown
from shared.training.backbones import Normalisation
from shared.training.batches import let_go
from shared.training.checkpoint import replace_folder
from shared.training.hub import explained, whole_model
from shared.training.images import Bytes, Preprocessing

FACTS_FILE = "captions.json"
FORMAT = 1
TINY = "tiny"  # the stand-in of the demo: random weights, from a config
# What OpenAI's models take from each channel and divide it by (Radford et al., 2021; the values
# lie in preprocessor_config.json beside the weights, which is read where it is there).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipEncoder:
    """A contrastive image-text model with all that it needs to embed.

    Attributes:
        model: of transformers, with `get_image_features`, `get_text_features`, `logit_scale`.
        tokenizer: of its texts.
        preprocessing: how a photo becomes its input.
        normalisation: of the pixels.
        facts: what `captions.json` says of the training; empty for published weights.
    """

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    preprocessing: Preprocessing
    normalisation: Normalisation
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """The factor that makes logits of cosine similarities."""
        return float(self.model.logit_scale.detach().exp())  # type: ignore[operator]

    @property
    def text_length(self) -> int:
        """How many tokens a text may have."""
        return text_length_of(self.model)

    def image_embeddings(self, images: Bytes, batch_size: int = 64) -> Tensor:
        """(N, D) float32 vectors of length 1 on the CPU.

        Args:
            images: (N, H, W, 3) bytes of the size that `preprocessing` says; may be a memory map.
            batch_size: images at a time.

        Raises:
            ValueError: for images of another size.
        """
        wanted = (self.preprocessing.height, self.preprocessing.width, 3)
        if images.ndim != 4 or images.shape[1:] != wanted or images.dtype != np.uint8:
            shape = f"(N, {wanted[0]}, {wanted[1]}, 3)"
            msg = f"Expected uint8 {shape} images, but got {images.dtype} {images.shape}"
            raise ValueError(msg)
        model, device = self._ready()
        found = []
        for start in range(0, len(images), batch_size):
            chosen = np.array(images[start : start + batch_size])
            with torch.inference_mode():
                pixels = torch.from_numpy(chosen).to(device).permute(0, 3, 1, 2).float() / 255
                features = image_features(model, self.normalisation.apply(pixels))
                found.append(F.normalize(features.float(), dim=1).cpu())
            let_go(images)
        return torch.cat(found).clone()

    def text_embeddings(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """(K, D) float32 vectors of length 1 on the CPU.

        Args:
            texts: K texts; what is longer than the model's context is cut.
            batch_size: texts at a time.
        """
        if not len(texts):
            msg = "Expected at least one text to embed, but got none"
            raise ValueError(msg)
        model, device = self._ready()
        found = []
        for start in range(0, len(texts), batch_size):
            tokens = tokens_of(self.tokenizer, texts[start : start + batch_size], self.text_length)
            with torch.inference_mode():
                features = text_features(model, tokens[0].to(device), tokens[1].to(device))
                found.append(F.normalize(features.float(), dim=1).cpu())
        return torch.cat(found).clone()

    def _ready(self) -> tuple[nn.Module, torch.device]:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return self.model.to(device).eval(), device

    def save(self, folder: Path) -> None:
        """Write the folder whole: the old one, if any, is replaced in one step."""
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        self.model.save_pretrained(temporary)  # type: ignore[operator]
        self.tokenizer.save_pretrained(temporary)
        facts = {
            "format": FORMAT,
            "preprocessing": self.preprocessing.as_dict(),
            "normalisation": asdict(self.normalisation),
            **self.facts,
        }
        text = json.dumps(facts, indent=2, ensure_ascii=False)
        (temporary / FACTS_FILE).write_text(text + "\n", encoding="utf-8")
        replace_folder(temporary, folder)


def load_clip(source: str, revision: str = "") -> ClipEncoder:
    """A contrastive model of transformers.

    Args:
        source: a folder (absolute, or below the project's root), ours or anyone's; or a name at
            huggingface.co, such as `"openai/clip-vit-large-patch14-336"` or
            `"geolocal/StreetCLIP"`.
        revision: of a name: a commit, so that the weights stay the same; "" for the newest.

    Raises:
        FileNotFoundError: when it is neither there nor to be downloaded.
        ValueError: when it is no contrastive model, or not a whole one.
    """
    folder = root() / source
    where = str(folder) if folder.is_dir() else source
    pinned = {"revision": revision} if revision and not folder.is_dir() else {}
    with explained(
        source,
        f"Expected a model of transformers in the folder {shown(folder)}, or one to be downloaded "
        f"by the name {source!r}",
        f"copy the model's folder here and give its path, or train model={TINY!r}, a small "
        "stand-in with random weights (3-training/contrastive.ipynb)",
    ):
        model = whole_model(where, pinned)
        tokenizer = AutoTokenizer.from_pretrained(where, **pinned)
        pixels = _pixels_of(where, pinned)
    lacking = [n for n in ("get_image_features", "get_text_features", "logit_scale")
               if not hasattr(model, n)]  # fmt: skip
    if lacking:
        msg = f"Expected a contrastive model like CLIP in {source!r}, but it has no {lacking}"
        raise ValueError(msg)
    facts = clip_facts(folder) if (folder / FACTS_FILE).is_file() else {}
    if facts:
        preprocessing = Preprocessing(**facts["preprocessing"])
        return ClipEncoder(
            model.eval(), tokenizer, preprocessing, Normalisation(**facts["normalisation"]), facts
        )
    size = native_size(model)
    return ClipEncoder(model.eval(), tokenizer, Preprocessing(size, size), pixels)


def clip_facts(folder: Path) -> dict[str, Any]:
    """What `captions.json` of a checkpoint of ours says.

    Raises:
        FileNotFoundError: when there is none.
        ValueError: for a format that this code does not know.
    """
    path = folder / FACTS_FILE
    if not path.is_file():
        msg = (
            f"Expected a checkpoint in {shown(folder)}, but there is no {FACTS_FILE}: "
            "3-training/contrastive.ipynb writes it"
        )
        raise FileNotFoundError(msg)
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if facts.get("format") != FORMAT:
        msg = f"Expected a checkpoint of format {FORMAT} in {path}, got {facts.get('format')!r}"
        raise ValueError(msg)
    return facts


def native_size(model: nn.Module) -> int:
    """The side of the square images that a model was made for, pixels."""
    return int(model.config.vision_config.image_size)  # type: ignore[union-attr,arg-type]


def text_length_of(model: nn.Module) -> int:
    """How many tokens a text may have."""
    return int(model.config.text_config.max_position_embeddings)  # type: ignore[union-attr,arg-type]


def image_features(model: nn.Module, pixels: Tensor) -> Tensor:
    """(N, D) projected features of (N, 3, H, W) normalised pixels, of any size."""
    is_native = pixels.shape[-2:] == (native_size(model),) * 2
    other = {} if is_native else {"interpolate_pos_encoding": True}
    return _features(model.get_image_features(pixel_values=pixels, **other))  # type: ignore[operator]


def text_features(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """(K, D) projected features of (K, T) tokens with their mask."""
    return _features(model.get_text_features(input_ids=tokens, attention_mask=mask))  # type: ignore[operator]


def tokens_of(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], length: int
) -> tuple[Tensor, Tensor]:
    """(K, T) tokens and their mask, as long as the longest text and at most `length`."""
    found = tokenizer(
        list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt"
    )
    return found["input_ids"], found["attention_mask"]


def digest_of_clip(source: str, revision: str = "") -> str:
    """What tells the weights of a source apart: the digest of a folder's, or name and revision."""
    weights = root() / source / "model.safetensors"
    return fingerprint(weights).digest if weights.is_file() else f"{source}@{revision or 'newest'}"


def _features(output: Any) -> Tensor:  # noqa: ANN401 (a tensor, or an output that holds it)
    found: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return found


def _pixels_of(where: str, pinned: Mapping[str, str]) -> Normalisation:
    """The normalisation that lies beside weights; CLIP's own where none does."""
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        found, _ = ImageProcessingMixin.get_image_processor_dict(where, **pinned)
    except OSError:
        found = {}
    mean, std = (found.get(f"image_{k}", v) for k, v in (("mean", CLIP_MEAN), ("std", CLIP_STD)))
    return Normalisation(tuple(mean), tuple(std))
