"""Random crops, rotations and colours of a whole batch at once, on the batch's device.

Every sample gets its own draw; crop and rotation are one resampling. Photos are never mirrored:
the side that cars drive on, and every letter, tells where a photo was taken.
The ranges are those of Lost & Found: crops of 0.75 to 1 of the area, 10 degrees, and brightness,
contrast and saturation of 0.5 to 1.5 with a hue shift of 0.1 turns.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

Change = Callable[[Tensor, Tensor], Tensor]
GREY = (0.2989, 0.587, 0.114)  # ITU-R 601-2, as torchvision weighs the channels


@dataclass(frozen=True)
class Augmentation:
    """Which augmentations are on, and how far they go.

    Attributes:
        crop: whether parts of the image are scaled up to its size.
        rotation: whether images are turned.
        colour: whether brightness, contrast, saturation and hue change.
        crop_area: the smallest share of the area that a crop keeps.
        crop_ratio: how far a crop's aspect may leave the image's: 4/3 is wider by a third.
        rotation_deg: the largest angle, degrees, either way.
        colour_factor: brightness, contrast and saturation are multiplied by 1 - this to 1 + this.
        hue_turns: the largest shift of the hue, in turns of the colour circle, either way.
    """

    crop: bool = True
    rotation: bool = True
    colour: bool = True
    crop_area: float = 0.75
    crop_ratio: float = 4 / 3
    rotation_deg: float = 10.0
    colour_factor: float = 0.5
    hue_turns: float = 0.1

    @property
    def is_off(self) -> bool:
        """Whether nothing is done at all."""
        return not (self.crop or self.rotation or self.colour)


@dataclass(frozen=True)
class Draws:
    """The random numbers of a batch: one of each for each sample, and the order of the colours.

    Attributes:
        width, height: (N,) the crop's size, as shares of the image's.
        left, top: (N,) the crop's corner, as shares of the image's size.
        angle_deg: (N,) degrees, counter-clockwise.
        brightness, contrast, saturation: (N,) factors.
        hue: (N,) turns.
        order: the four colour changes in the order in which they are done, for the whole batch.
    """

    width: Tensor
    height: Tensor
    left: Tensor
    top: Tensor
    angle_deg: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    order: tuple[int, ...] = (0, 1, 2, 3)

    def part(self, start: int, stop: int, device: torch.device) -> "Draws":
        """The draws of some samples, on a device."""
        names = [field.name for field in fields(self) if field.name != "order"]
        parts = {name: getattr(self, name)[start:stop].to(device) for name in names}
        return Draws(**parts, order=self.order)


def draw(n: int, settings: Augmentation, generator: torch.Generator) -> Draws:
    """Draw for n samples. The draws are made on the CPU, so that every device gets the same."""

    def between(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    area = between(settings.crop_area, 1.0)
    spread = math.log(settings.crop_ratio)
    ratio = between(-spread, spread).exp()
    width = (area * ratio).sqrt().clamp(max=1.0)
    height = (area / ratio).sqrt().clamp(max=1.0)
    factor = settings.colour_factor
    return Draws(
        width=width,
        height=height,
        left=between(0, 1) * (1 - width),
        top=between(0, 1) * (1 - height),
        angle_deg=between(-settings.rotation_deg, settings.rotation_deg),
        brightness=between(1 - factor, 1 + factor),
        contrast=between(1 - factor, 1 + factor),
        saturation=between(1 - factor, 1 + factor),
        hue=between(-settings.hue_turns, settings.hue_turns),
        order=tuple(torch.randperm(4, generator=generator).tolist()),
    )


def augment(images: Tensor, draws: Draws, settings: Augmentation) -> Tensor:
    """Apply draws to a batch.

    Args:
        images: (N, 3, H, W) pixels in 0..1.
        draws: N of each.
        settings: what is on.

    Returns:
        (N, 3, H, W) pixels in 0..1.
    """
    if settings.crop or settings.rotation:
        images = resample(images, draws, is_cropped=settings.crop, is_turned=settings.rotation)
    if settings.colour:
        changes = (
            (brighten, draws.brightness),
            (contrast, draws.contrast),
            (saturate, draws.saturation),
            (shift_hue, draws.hue),
        )
        for number in draws.order:
            change, amounts = changes[number]
            images = change(images, amounts.view(-1, 1, 1, 1))
    return images


def resample(images: Tensor, draws: Draws, is_cropped: bool, is_turned: bool) -> Tensor:
    """Crop and turn in one resampling; beyond the edge, the image is mirrored at it."""
    n, _, height_px, width_px = images.shape
    one, zero = torch.ones_like(draws.width), torch.zeros_like(draws.width)
    width, height = (draws.width, draws.height) if is_cropped else (one, one)
    left, top = (draws.left, draws.top) if is_cropped else (zero, zero)
    angle = torch.deg2rad(draws.angle_deg) if is_turned else zero
    aspect = height_px / width_px
    # From a place in the result (-1..1) to its place in the image: turn by pixels, then crop.
    rows = [
        torch.stack([angle.cos(), -angle.sin() * aspect, zero], dim=1) * width[:, None],
        torch.stack([angle.sin() / aspect, angle.cos(), zero], dim=1) * height[:, None],
    ]
    theta = torch.stack(rows, dim=1)
    theta[:, 0, 2] = 2 * left + width - 1
    theta[:, 1, 2] = 2 * top + height - 1
    grid = F.affine_grid(theta, [n, 3, height_px, width_px], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def grey(images: Tensor) -> Tensor:
    """(N, 1, H, W) the lightness of each pixel."""
    red, green, blue = images.unbind(dim=1)
    return (GREY[0] * red + GREY[1] * green + GREY[2] * blue).unsqueeze(1)


def brighten(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply all pixels."""
    return (images * factors).clamp(0, 1)


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Move all pixels away from the image's mean lightness."""
    mean = grey(images).mean(dim=(1, 2, 3), keepdim=True)
    return (images * factors + mean * (1 - factors)).clamp(0, 1)


def saturate(images: Tensor, factors: Tensor) -> Tensor:
    """Move all pixels away from their own lightness."""
    return (images * factors + grey(images) * (1 - factors)).clamp(0, 1)


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the colour circle.

    Source: the alternative form of the conversion between RGB and HSV,
    https://en.wikipedia.org/wiki/HSL_and_HSV#HSV_to_RGB_alternative
    """
    red, green, blue = images.unbind(dim=1)
    value, low = images.amax(dim=1), images.amin(dim=1)
    chroma = value - low
    safe = torch.where(chroma == 0, 1.0, chroma)
    sixth = torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4)
    sixth = torch.where(value == red, (green - blue) / safe, sixth)
    sixth = sixth + 6 * turns[:, 0]
    channels = []
    for n in (5.0, 3.0, 1.0):
        k = torch.remainder(sixth + n, 6.0)
        channels.append(value - chroma * torch.minimum(k, 4.0 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
