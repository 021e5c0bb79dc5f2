"""Augmentation held to torchvision's own functions, one image at a time."""

import colorsys
import inspect
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torchvision.transforms.v2.functional as reference
from torch import Tensor
from torchvision.transforms import InterpolationMode

from shared.training import augment as module
from shared.training.augment import (
    Augmentation,
    Draws,
    augment,
    brighten,
    contrast,
    draw,
    resample,
    saturate,
    shift_hue,
)

N, HEIGHT, WIDTH = 6, 36, 64


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(N, 3, 6, 9, generator=generator)
    return torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bilinear").clamp(0, 1)


@pytest.fixture
def draws() -> Draws:
    return draw(N, Augmentation(), torch.Generator().manual_seed(2))


@pytest.mark.parametrize(
    ("ours", "theirs", "field"),
    [
        (brighten, reference.adjust_brightness, "brightness"),
        (contrast, reference.adjust_contrast, "contrast"),
        (saturate, reference.adjust_saturation, "saturation"),
        (shift_hue, reference.adjust_hue, "hue"),
    ],
)
def test_colours_are_those_of_torchvision(
    ours: module.Change,
    theirs: Callable[[Tensor, float], Tensor],
    field: str,
    images: Tensor,
    draws: Draws,
) -> None:
    amounts = getattr(draws, field)
    found = ours(images, amounts.view(-1, 1, 1, 1))
    for i in range(N):
        expected = theirs(images[i], float(amounts[i]))
        assert torch.allclose(found[i], expected, atol=2e-5)


def test_hue_of_grey_stays_grey() -> None:
    grey = torch.full((1, 3, 4, 4), 0.3)
    assert torch.equal(shift_hue(grey, torch.full((1, 1, 1, 1), 0.1)), grey)


def test_hue_is_that_of_colorsys() -> None:
    rgb = (0.7, 0.2, 0.4)
    h, s, v = colorsys.rgb_to_hsv(*rgb)
    expected = torch.tensor(colorsys.hsv_to_rgb((h + 0.08) % 1, s, v))
    found = shift_hue(torch.tensor(rgb).view(1, 3, 1, 1), torch.full((1, 1, 1, 1), 0.08))
    assert torch.allclose(found.flatten(), expected, atol=1e-6)


def test_whole_pixel_crops_are_those_of_torchvision(images: Tensor, draws: Draws) -> None:
    left, top, width, height = 5, 3, 52, 30
    share = torch.ones(N)
    draws = replace(
        draws,
        left=share * left / WIDTH,
        top=share * top / HEIGHT,
        width=share * width / WIDTH,
        height=share * height / HEIGHT,
    )
    found = resample(images, draws, is_cropped=True, is_turned=False)
    expected = reference.resized_crop(
        images, top, left, height, width, [HEIGHT, WIDTH], antialias=False
    )
    # Within the outermost pixel theirs repeats the crop's edge, ours looks beyond it.
    inner = (..., slice(2, -2), slice(2, -2))
    assert torch.allclose(found[inner], expected[inner], atol=1e-5)


def test_rotations_are_those_of_torchvision(images: Tensor, draws: Draws) -> None:
    found = resample(images, draws, is_cropped=False, is_turned=True)
    for i in range(N):
        angle = float(draws.angle_deg[i])
        turned = reference.rotate(images[i], angle, InterpolationMode.BILINEAR)
        inside = reference.rotate(torch.ones_like(images[i]), angle, InterpolationMode.BILINEAR)
        is_inside = inside > 0.999  # theirs paints black what comes from beyond the edge
        assert is_inside.float().mean() > 0.7
        assert torch.allclose(found[i][is_inside], turned[is_inside], atol=1e-4)


def test_draws_stay_in_their_ranges() -> None:
    drawn = draw(4000, Augmentation(), torch.Generator().manual_seed(0))
    area = drawn.width * drawn.height
    assert area.min() >= 0.74  # a crop that would stand out at one side is cut there
    assert area.max() <= 1.0
    assert (drawn.left + drawn.width).max() <= 1.0 + 1e-6
    assert (drawn.top + drawn.height).max() <= 1.0 + 1e-6
    assert 9.9 < drawn.angle_deg.abs().max() <= 10
    for factors in (drawn.brightness, drawn.contrast, drawn.saturation):
        assert 0.5 <= factors.min() < 0.51 < 1.49 < factors.max() <= 1.5
    assert 0.099 < drawn.hue.abs().max() <= 0.1


def test_a_part_of_the_draws_gives_the_part_of_the_batch(images: Tensor, draws: Draws) -> None:
    whole = augment(images, draws, Augmentation())
    part = augment(images[2:4], draws.part(2, 4, torch.device("cpu")), Augmentation())
    assert torch.equal(part, whole[2:4])


def test_nothing_is_done_when_all_is_off(images: Tensor, draws: Draws) -> None:
    off = Augmentation(crop=False, rotation=False, colour=False)
    assert off.is_off
    assert torch.equal(augment(images, draws, off), images)


def test_each_switch_changes_the_images(images: Tensor, draws: Draws) -> None:
    for name in ("crop", "rotation", "colour"):
        one = replace(Augmentation(crop=False, rotation=False, colour=False), **{name: True})
        assert not torch.equal(augment(images, draws, one), images)


def test_photos_are_never_mirrored(draws: Draws) -> None:
    # A ramp that is dark on the left stays so under every draw.
    ramp = torch.linspace(0, 1, WIDTH).expand(N, 3, HEIGHT, WIDTH).contiguous()
    found = augment(ramp, draws, Augmentation(colour=False))
    assert (found[..., -8:].mean(dim=(1, 2, 3)) > found[..., :8].mean(dim=(1, 2, 3)) + 0.5).all()
    assert "flip" not in inspect.getsource(module)
