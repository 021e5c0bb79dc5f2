"""Which parts of a photo mattered: what the answer loses when a part of it is covered.

Occlusion (Zeiler and Fergus, 2014, arXiv 1311.2901), by captum: a grey square is moved over the
photo, and the fall of the log-probability is put where it was. It works for every network.
"""

import warnings
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib import colormaps
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.geo import to_unit_vectors
from shared.predict.predictor import Predictor
from shared.training.backbones import Normalisation
from shared.training.images import Bytes

PARTS = 6  # of a photo's height that the square covers one of
STEPS = 2  # the square moves by such a part of itself
AT_ONCE = 32
MAP = "magma"
STRENGTH = 0.55  # of the colours over the photo


def occlusion(predictor: Predictor, image: Bytes, country: str = "") -> NDArray[np.float32]:
    """How much each part of a photo speaks for an answer.

    Args:
        predictor: the model.
        image: (H, W, 3) bytes, as `predictor.pixels` makes them.
        country: the code of the country it is asked about; "": the most probable class, or of a
            model without classes the place that it points at.

    Returns:
        (H, W): by how much the logarithm of the probability falls when the part is covered, mean
        over the squares that cover it; above 0 what speaks for the answer. Of a model without
        classes by how much the cosine of the angle to its point falls.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tqdm.auto in a notebook; no bar is drawn
        from captum.attr import Occlusion

    config = predictor.checkpoint.config
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = predictor.checkpoint.model.to(device).eval()
    pixels = torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1)[None].float() / 255
    pixels = Normalisation(**config["normalisation"]).apply(pixels)
    side = max(2, round(image.shape[0] / PARTS))
    grey = pixels.mean(dim=(2, 3), keepdim=True).expand_as(pixels)
    with torch.inference_mode():
        target = _Score(predictor, _targets(predictor, country), model(pixels))
        found = Occlusion(target).attribute(
            pixels,
            sliding_window_shapes=(3, side, side),
            strides=(3, max(1, side // STEPS), max(1, side // STEPS)),
            baselines=grey,
            perturbations_per_eval=AT_ONCE,
        )
    total: NDArray[np.float32] = found[0].mean(dim=0).cpu().numpy().astype(np.float32)
    return total


def _targets(predictor: Predictor, country: str) -> list[int]:
    """The outputs that stand for a country; none where the most probable is meant."""
    partition = predictor.checkpoint.partition
    if partition is None or not country:
        return []
    rows = [row for row, code in enumerate(partition.countries) if code == country]
    if not rows:
        msg = f"Expected one of the model's {len(set(partition.countries))} countries: {country!r}"
        raise ValueError(msg)
    return rows


class _Score(nn.Module):
    """One number an image: the log-probability of the answer, or how near its point stays."""

    def __init__(self, predictor: Predictor, rows: list[int], said: Tensor) -> None:
        super().__init__()
        self.model, self.head = predictor.checkpoint.model, predictor.checkpoint.head
        self.rows = rows or [int(said.argmax())]
        self.direction = None if self.head is None else self._directions(said)[0]

    def forward(self, pixels: Tensor) -> Tensor:
        outputs: Tensor = self.model(pixels).float()
        if self.direction is not None:
            return self._directions(outputs) @ self.direction
        return outputs.log_softmax(dim=1)[:, self.rows].logsumexp(dim=1)

    def _directions(self, outputs: Tensor) -> Tensor:
        points = self.head.points(outputs).cpu().numpy()  # type: ignore[union-attr]
        return torch.from_numpy(to_unit_vectors(points)).to(outputs.device)


def overlay(image: Bytes, scores: NDArray[np.float32], width: int = 640) -> Bytes:
    """A photo, enlarged, with what spoke for the answer in bright colours.

    Args:
        image: (H, W, 3) bytes.
        scores: (H, W), of `occlusion`.
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
