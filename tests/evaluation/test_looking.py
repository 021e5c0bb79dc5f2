"""Maps of networks whose answer is known: attention roll-out, Grad-CAM, occlusion."""

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from shared.evaluation.looking import (
    GRAD_CAM,
    OCCLUSION,
    ROLL_OUT,
    Eye,
    attention,
    cam_layer,
    grad_cam,
    look,
    occlusion,
    overlay,
)
from shared.evaluation.looking_models import clip_eye, untrained
from shared.evaluation.looking_rollout import attentions_of, has_attention, roll_out, token_map
from shared.training.backbones import UNCHANGED, build_backbone
from shared.training.clip import ClipEncoder
from shared.training.clip_tiny import caption_tokenizer, tiny_clip
from shared.training.images import Bytes, Preprocessing

WIDTH, HEIGHT = 48, 32
SIZES = {"hidden": 32, "layers": 2, "heads": 2, "text_hidden": 16, "text_layers": 1}


def colour_eye() -> Eye:
    """Two countries: how red a photo is speaks for FR, how green for JP."""
    see = nn.Conv2d(3, 2, 1, bias=False)
    tell = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        see.weight.copy_(torch.eye(3)[:2, :, None, None])
        tell.weight.copy_(40 * torch.eye(2))
    network = nn.Sequential(see, nn.AdaptiveAvgPool2d(1), nn.Flatten(), tell)
    return Eye(network.eval(), Preprocessing(WIDTH, HEIGHT), UNCHANGED, ("FR", "JP"))


def red_and_green() -> Bytes:
    """A red square of 8 pixels at (4, 4), and a green one at (20, 36), down and along."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[4:12, 4:12, 0] = 255
    image[20:28, 36:44, 1] = 255
    return image


def tiny_encoder() -> ClipEncoder:
    tokenizer = caption_tokenizer(["A photo in France.", "A photo in Japan."], 16)
    model: nn.Module = tiny_clip(tokenizer, {**SIZES, "projection": 16, "text_length": 16}, 48, 0)
    return ClipEncoder(model.eval(), tokenizer, Preprocessing(48, 32), UNCHANGED)


def kernels(encoder: ClipEncoder) -> list[str]:
    """How each part of a model computes its attention."""
    configs = [getattr(module, "config", None) for module in encoder.model.modules()]
    return [str(config._attn_implementation) for config in configs if config is not None]


def tiny_clip_eye() -> Eye:
    encoder = tiny_encoder()
    vectors = encoder.text_embeddings(["A photo in France.", "A photo in Japan."])
    return clip_eye(encoder, vectors, ["FR", "JP"])


def noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_roll_out_of_two_layers_is_that_by_hand() -> None:
    # Abnar and Zuidema (2020), section 3: halves of the identity and of the mean over the heads,
    # [[3/4, 1/4], [1/4, 3/4]] and [[1/2, 1/2], [0, 1]]; the second times the first:
    first = torch.tensor([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
    second = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    expected = torch.tensor([[1 / 2, 1 / 2], [1 / 4, 3 / 4]], dtype=torch.float64)
    assert torch.allclose(roll_out([first, second]), expected)
    assert not torch.allclose(roll_out([second, first]), expected)


@pytest.mark.parametrize(
    "layers", [[], [torch.ones(2, 3, 4)], [torch.ones(1, 2, 2)] * 2 + [torch.ones(1, 3, 3)]]
)
def test_roll_out_refuses_what_is_no_attention(layers: list[Tensor]) -> None:
    with pytest.raises(ValueError, match=r"Expected \(heads, T, T\) attention"):
        roll_out(layers)


def test_the_class_token_tells_what_reaches_each_patch() -> None:
    rolled = torch.arange(49.0).reshape(7, 7)
    assert token_map(rolled, 2, 3).tolist() == [[1, 2, 3], [4, 5, 6]]
    without = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert token_map(without, 1, 2).tolist() == [[0.75, 0.25]]  # the mean over both tokens
    with pytest.raises(ValueError, match="Expected at least 3 x 3 tokens, got 7"):
        token_map(rolled, 3, 3)


def test_even_attention_gives_every_patch_the_same() -> None:
    # Without queries all T tokens are attended to alike: after L layers (1/2)^L of a token is
    # itself, and the rest is spread evenly. Two layers, 2 x 3 patches and the class token:
    encoder = tiny_encoder()
    for name, parameter in encoder.model.named_parameters():
        if "q_proj" in name:
            nn.init.zeros_(parameter)
    eye = clip_eye(encoder, torch.eye(16)[:2], ["FR", "JP"])
    found = attentions_of(eye.network, torch.rand(1, 3, 32, 48))
    assert (found.rows, found.columns) == (2, 3)
    shares = token_map(roll_out([layer[0] for layer in found.layers]), 2, 3)
    assert torch.allclose(shares, torch.full((2, 3), (1 - 1 / 4) / 7, dtype=torch.float64))


def test_attention_is_what_transformers_tells_and_leaves_the_model_as_it_was() -> None:
    encoder = tiny_encoder()
    eye = clip_eye(encoder, encoder.text_embeddings(["France", "Japan"]), ["FR", "JP"])
    pixels = eye.pixels(noise(1)[None])
    kinds = kernels(encoder)
    with torch.inference_mode():
        before = eye.network(pixels)
    attention(eye, noise(1))
    with torch.inference_mode():
        assert torch.equal(eye.network(pixels), before)
    assert kernels(encoder) == kinds
    layers = attentions_of(eye.network, pixels).layers
    tower: Any = encoder.model.vision_model
    tower.set_attn_implementation("eager")
    with torch.inference_mode():
        told = tower(pixels, output_attentions=True, interpolate_pos_encoding=True).attentions
    assert len(layers) == len(told) == SIZES["layers"]
    assert all(torch.equal(one, other) for one, other in zip(layers, told, strict=True))
    assert "eager" not in kinds


def test_a_vit_of_timm_is_read_as_well() -> None:
    sizes: dict[str, Any] = {
        "img_size": (32, 48),
        "patch_size": 16,
        "embed_dim": 32,
        "depth": 3,
        "num_heads": 2,
    }
    network = timm.create_model("vit_tiny_patch16_224", num_classes=2, **sizes).eval()
    pixels = torch.rand(2, 3, 32, 48)
    with torch.inference_mode():
        before = network(pixels)
    found = attentions_of(nn.Sequential(network), pixels)
    assert (found.rows, found.columns) == (2, 3)
    assert [tuple(layer.shape) for layer in found.layers] == [(2, 2, 7, 7)] * 3
    assert torch.allclose(found.layers[0].sum(dim=-1), torch.ones(2, 2, 7))
    with torch.inference_mode():
        assert torch.equal(network(pixels), before)


def test_grad_cam_is_the_map_that_the_country_leans_on() -> None:
    # The logit of FR is 40 times the mean of the red map: each of its 32 x 48 places has a
    # gradient of 40 / 1536, so the weighted map is that where it is red, and 0 elsewhere.
    eye, image = colour_eye(), red_and_green()
    for country, channel in (("FR", 0), ("JP", 1)):
        found = grad_cam(eye, image, country)
        assert found == pytest.approx(image[..., channel] / 255 * 40 / (HEIGHT * WIDTH), abs=1e-6)
    with pytest.raises(ValueError, match="Expected one of the model's 2 countries: 'KE'"):
        grad_cam(eye, image, "KE")


def test_occlusion_finds_the_square_that_speaks_for_the_country() -> None:
    eye, image = colour_eye(), red_and_green()
    for country, inside, against in (
        ("FR", (slice(4, 12), slice(4, 12)), (slice(20, 28), slice(36, 44))),
        ("JP", (slice(20, 28), slice(36, 44)), (slice(4, 12), slice(4, 12))),
    ):
        found = occlusion(eye, image, country)
        assert found[inside].mean() > 0.05
        assert found[against].mean() < -0.05  # covering the other country's colour helps
        down, along = np.unravel_index(int(found.argmax()), found.shape)
        assert inside[0].start - 3 <= down < inside[0].stop + 3
        assert inside[1].start - 3 <= along < inside[1].stop + 3


def test_log_probabilities_are_those_of_the_softmax() -> None:
    eye, image = colour_eye(), red_and_green()
    image[0, 0, 0] = 255  # one red pixel more: the logits differ by 40 / 1536
    by_hand = -np.log1p(np.exp(-40 / (HEIGHT * WIDTH)))
    assert eye.log_probabilities(image[None], "FR") == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize(("width", "name"), [(224, "layer4"), (112, "layer3"), (64, "layer2")])
def test_grad_cam_looks_at_the_last_layer_that_is_seven_wide(width: int, name: str) -> None:
    network = build_backbone("resnet18", 2).eval()
    chosen = cam_layer(network, torch.rand(1, 3, width // 2, width))
    assert chosen is getattr(network, name)


def test_a_network_without_maps_has_no_grad_cam() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    with pytest.raises(ValueError, match="Expected a network with feature maps"):
        cam_layer(network, torch.rand(1, 3, 8, 8))


def test_transformers_have_roll_out_and_other_networks_grad_cam() -> None:
    assert colour_eye().methods == (GRAD_CAM, OCCLUSION)
    eye = tiny_clip_eye()
    assert eye.methods == (ROLL_OUT, OCCLUSION)
    assert not has_attention(colour_eye().network)
    for method in eye.methods:
        found = look(eye, method, noise(2), "JP")
        assert found.shape == (HEIGHT, WIDTH)
        assert np.isfinite(found).all()
        assert found.std() > 0
    with pytest.raises(ValueError, match=r"Expected a method out of .* but got 'Grad-CAM'"):
        look(eye, GRAD_CAM, noise(2))
    with pytest.raises(ValueError, match="Expected a network with a vision transformer"):
        attentions_of(colour_eye().network, torch.rand(1, 3, 8, 8))


def test_roll_out_is_the_same_for_every_country_and_occlusion_is_not() -> None:
    eye, image = tiny_clip_eye(), noise(3)
    assert np.array_equal(look(eye, ROLL_OUT, image, "FR"), look(eye, ROLL_OUT, image, "JP"))
    assert not np.allclose(occlusion(eye, image, "FR"), occlusion(eye, image, "JP"))


@pytest.mark.parametrize("kind", ["cnn", "clip"])
def test_an_untrained_network_is_another_one_by_seed(kind: str) -> None:
    torch.manual_seed(5)
    cnn = build_backbone("mobilenet_v3_small", 2).eval()
    eye = tiny_clip_eye()
    if kind == "cnn":
        eye = Eye(cnn, Preprocessing(WIDTH, HEIGHT), UNCHANGED, ("FR", "JP"))
    images = np.stack([noise(seed) for seed in range(6)])
    before = eye.log_probabilities(images, "FR")
    one, again, other = (
        untrained(eye, seed, images).log_probabilities(images, "FR") for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    assert not np.allclose(one, before)
    assert one.std() > 1e-3  # the photos still tell apart: their signal has not faded
    assert np.array_equal(eye.log_probabilities(images, "FR"), before)


def test_the_overlay_is_bright_where_the_map_is_high() -> None:
    scores = np.zeros((HEIGHT, WIDTH), np.float32)
    scores[8:16, 8:16] = 1
    found = overlay(np.zeros((HEIGHT, WIDTH, 3), np.uint8), scores, 96)
    assert found.shape == (64, 96, 3)
    assert found[24, 24].sum() > 300
    assert found[50, 80].sum() < 20
