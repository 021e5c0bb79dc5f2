"""Which parts of a photo spoke for an answer: occlusion, Grad-CAM and attention roll-out.

All give an (H, W) float map of the size of the image that the model was given.

* Occlusion (Zeiler and Fergus, 2014, arXiv 1311.2901), by captum: a grey square is moved over the
  photo, and the fall of the score is put where it was. It works for every network.
* Grad-CAM (Selvaraju et al., 2017, arXiv 1610.02391), by captum: the feature maps of a layer,
  weighted by how the score leans on each. For convolutional networks.
* Attention roll-out: see `looking_rollout`. For transformers; it asks no question.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib import colormaps
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.evaluation.looking_rollout import attentions_of, has_attention, roll_out, token_map
from shared.geo import to_unit_vectors
from shared.training.backbones import Normalisation, blocks_of
from shared.training.checkpoint import Checkpoint
from shared.training.heads import PointHead
from shared.training.images import Bytes, Preprocessing

Map = NDArray[np.float32]

OCCLUSION, GRAD_CAM, ROLL_OUT = "occlusion", "Grad-CAM", "roll-out"
PARTS = 6  # of a photo's height that the square covers one of
STEPS = 2  # the square moves by such a part of itself
AT_ONCE = 128  # captum spends about as long on a batch as a small network does
CAM_COLUMNS = 7  # the fewest of Grad-CAM's layer: the last layer of a network for 224 pixels has 7
MAP = "magma"
STRENGTH = 0.55  # of the colours over the photo


@dataclass(frozen=True)
class Eye:
    """A model that can be asked what it sees in a photo.

    Attributes:
        network: (N, 3, H, W) normalised pixels to (N, K) logits, or to what `head` reads.
        preprocessing: how a photo becomes its input.
        normalisation: of the pixels.
        countries: of the K classes, codes; empty for a model of points.
        head: of a model of points; None for one of classes.
    """

    network: nn.Module
    preprocessing: Preprocessing
    normalisation: Normalisation
    countries: tuple[str, ...] = ()
    head: PointHead | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Eye":
        """The eye of a checkpoint: of countries, of other classes in countries, or of points."""
        partition = checkpoint.partition
        return cls(
            checkpoint.model.to(_device()).eval(),
            checkpoint.preprocessing,
            Normalisation(**checkpoint.config["normalisation"]),
            tuple(partition.countries) if partition is not None else (),
            checkpoint.head,
        )

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that this network can be looked into with."""
        own = ROLL_OUT if has_attention(self.network) else GRAD_CAM
        return (own, OCCLUSION)

    def pixels(self, images: Bytes) -> Tensor:
        """(N, 3, H, W) normalised pixels of (N, H, W, 3) bytes."""
        found = torch.from_numpy(np.array(images)).to(_device()).permute(0, 3, 1, 2)
        return self.normalisation.apply(found.float() / 255)

    def rows(self, country: str) -> list[int]:
        """The outputs that stand for a country; none for `""`.

        Raises:
            ValueError: when no class lies in it.
        """
        if not country or self.head is not None:
            return []
        rows = [row for row, code in enumerate(self.countries) if code == country]
        if not rows:
            msg = f"Expected one of the model's {len(set(self.countries))} countries: {country!r}"
            raise ValueError(msg)
        return rows

    def log_probabilities(self, images: Bytes, country: str, batch_size: int = 64) -> Map:
        """(N,) the logarithms of a country's probability in (N, H, W, 3) images."""
        score = _Score(self, self.rows(country), None, is_share=True)
        with torch.inference_mode():
            parts = [
                score(self.pixels(images[start : start + batch_size])).cpu()
                for start in range(0, len(images), batch_size)
            ]
        found: Map = torch.cat(parts).numpy().astype(np.float32)
        return found


def look(eye: Eye, method: str, image: Bytes, country: str = "") -> Map:
    """The map of a method, by its name.

    Args:
        eye: the model.
        method: one of its `methods`.
        image: (H, W, 3) bytes, of the size that its preprocessing says.
        country: the code of the country that is asked about, as of `occlusion`.

    Raises:
        ValueError: for a method that the network does not have.
    """
    if method not in eye.methods:
        msg = f"Expected a method out of {eye.methods} for this network, but got {method!r}"
        raise ValueError(msg)
    if method == ROLL_OUT:
        return attention(eye, image)
    return (occlusion if method == OCCLUSION else grad_cam)(eye, image, country)


def occlusion(eye: Eye, image: Bytes, country: str = "") -> Map:
    """How much each part of a photo speaks for an answer.

    Args:
        eye: the model.
        image: (H, W, 3) bytes, of the size that its preprocessing says.
        country: the code of the country it is asked about; "": the most probable class, or of a
            model without classes the place that it points at.

    Returns:
        (H, W): by how much the logarithm of the probability falls when the part is covered, mean
        over the squares that cover it; above 0 what speaks for the answer. Of a model without
        classes by how much the cosine of the angle to its point falls.
    """
    pixels = eye.pixels(image[None])
    side = max(2, round(image.shape[0] / PARTS))
    grey = pixels.mean(dim=(2, 3), keepdim=True).expand_as(pixels)
    with torch.inference_mode():
        score = _Score(eye, eye.rows(country), eye.network(pixels), is_share=True)
        found = (
            _captum()
            .Occlusion(score)
            .attribute(
                pixels,
                sliding_window_shapes=(3, side, side),
                strides=(3, max(1, side // STEPS), max(1, side // STEPS)),
                baselines=grey,
                perturbations_per_eval=AT_ONCE,
            )
        )
    return _as_map(found[0].mean(dim=0))


def grad_cam(eye: Eye, image: Bytes, country: str = "", layer: nn.Module | None = None) -> Map:
    """Where the feature maps of a layer speak for an answer.

    Args:
        eye: the model, a convolutional network.
        image: (H, W, 3) bytes, of the size that its preprocessing says.
        country: as of `occlusion`; the logit is asked about, as in the paper.
        layer: whose maps; None: of `cam_layer`.

    Returns:
        (H, W): the weighted sum of the maps, 0 where it is negative, enlarged between its points.
    """
    pixels = eye.pixels(image[None])
    with torch.no_grad():
        said = eye.network(pixels)
    score = _Score(eye, eye.rows(country), said, is_share=False)
    chosen = cam_layer(eye.network, pixels) if layer is None else layer
    found = _captum().LayerGradCam(score, chosen).attribute(pixels, relu_attributions=True)
    return _enlarged(found[0, 0].detach(), image.shape[:2])


def cam_layer(network: nn.Module, pixels: Tensor, columns: int = CAM_COLUMNS) -> nn.Module:
    """The block that Grad-CAM looks at: the last whose maps are wide enough to tell places apart.

    The paper takes the last convolutional layer, of 7 x 7 at 224 pixels. Of photos half as wide
    that layer has 4 x 2 places; an earlier block is taken there.

    Args:
        network: one of torchvision's.
        pixels: (1, 3, H, W), what the network is given.
        columns: how wide the maps must be; where none is, the widest counts.

    Raises:
        ValueError: when no block gives maps.
    """
    widths: dict[int, int] = {}

    def note(block: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1:
            widths[id(block)] = output.shape[-1]

    blocks = blocks_of(network)
    hooks = [block.register_forward_hook(note) for block in blocks]
    try:
        with torch.no_grad():
            network(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    spatial = [block for block in blocks if id(block) in widths]
    if not spatial:
        msg = f"Expected a network with feature maps for Grad-CAM, got {type(network).__name__}"
        raise ValueError(msg)
    wide = [block for block in spatial if widths[id(block)] >= columns]
    return wide[-1] if wide else max(spatial, key=lambda block: widths[id(block)])


def attention(eye: Eye, image: Bytes) -> Map:
    """How much of each part of a photo attention carries into the answer, whatever it is.

    Args:
        eye: the model, a transformer.
        image: (H, W, 3) bytes, of the size that its preprocessing says.

    Returns:
        (H, W): shares of the attention roll-out on the patches, enlarged between their middles.
    """
    found = attentions_of(eye.network, eye.pixels(image[None]))
    rolled = roll_out([layer[0] for layer in found.layers])
    return _enlarged(token_map(rolled, found.rows, found.columns), image.shape[:2])


class _Score(nn.Module):
    """One number an image: a logit or log-probability, or how near its point stays."""

    def __init__(self, eye: Eye, rows: list[int], said: Tensor | None, *, is_share: bool) -> None:
        super().__init__()
        self.network, self.head, self.is_share = eye.network, eye.head, is_share
        self.rows = rows if said is None or rows else [int(said.argmax())]
        self.direction = None
        if self.head is not None and said is not None:
            self.direction = self._directions(said)[0]

    def forward(self, pixels: Tensor) -> Tensor:
        outputs: Tensor = self.network(pixels).float()
        if self.direction is not None:
            return self._directions(outputs) @ self.direction
        if self.is_share:
            outputs = outputs.log_softmax(dim=1)
        return outputs[:, self.rows].logsumexp(dim=1)

    def _directions(self, outputs: Tensor) -> Tensor:
        points = self.head.points(outputs).cpu().numpy()  # type: ignore[union-attr]
        return torch.from_numpy(to_unit_vectors(points)).to(outputs.device)


def overlay(image: Bytes, scores: Map, width: int = 640) -> Bytes:
    """A photo, enlarged, with what spoke for the answer in bright colours.

    Args:
        image: (H, W, 3) bytes.
        scores: (H, W), of one of the methods.
        width: of the result, pixels.

    Returns:
        (width * H / W, width, 3) bytes, RGB.
    """
    size = width, round(width * image.shape[0] / image.shape[1])
    large = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    positive = cv2.resize(np.maximum(scores, 0), size, interpolation=cv2.INTER_LINEAR)
    shares = np.asarray(positive, np.float32) / max(float(positive.max()), 1e-9)
    coloured: Any = colormaps[MAP](shares)[..., :3] * 255
    weight = STRENGTH * (0.25 + 0.75 * shares[..., None])
    mixed = large * (1 - weight) + coloured * weight
    found: Bytes = np.clip(mixed, 0, 255).astype(np.uint8)
    return found


def _enlarged(coarse: Tensor, size: Sequence[int]) -> Map:
    """(H, W) of a smaller map, linear between the middles of its cells."""
    small = coarse.float().cpu()[None, None]
    large = nn.functional.interpolate(small, tuple(size), mode="bilinear", align_corners=False)
    return _as_map(large[0, 0])


def _as_map(found: Tensor) -> Map:
    total: Map = found.cpu().numpy().astype(np.float32)
    return total


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _captum() -> Any:  # noqa: ANN401 (the package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tqdm.auto in a notebook; no bar is drawn
        import captum.attr
    return captum.attr
