from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import (
    get_model_weights,
    mobilenet_v2,
    mobilenet_v3_small,
)

from shared.training.backbones import (
    BACKBONES,
    Normalisation,
    build_backbone,
    head_of,
    read_weights,
)

# Parameters as torchvision's documentation counts them, with 1000 classes, and the head's inputs.
DOCUMENTED = {
    "resnet18": (11_689_512, 512),
    "resnet34": (21_797_672, 512),
    "resnet50": (25_557_032, 2048),
    "resnet101": (44_549_160, 2048),
    "resnet152": (60_192_808, 2048),
    "mobilenet_v2": (3_504_872, 1280),
    "mobilenet_v3_small": (2_542_856, 1024),
    "mobilenet_v3_large": (5_483_032, 1280),
    "efficientnet_b1": (7_794_184, 1280),
    "efficientnet_b3": (12_233_232, 1536),
    "efficientnet_b4": (19_341_616, 1792),
    "efficientnet_b7": (66_347_960, 2560),
}


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_is_the_documented_one_with_another_head(name: str) -> None:
    n_documented, n_features = DOCUMENTED[name]
    with torch.device("meta"):
        model = build_backbone(name, 7)
    n_found = sum(parameter.numel() for parameter in model.parameters())
    assert n_found == n_documented + (7 - 1000) * (n_features + 1)
    assert head_of(model).out_features == 7


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "mobilenet_v3_small"])
def test_backbone_gives_an_output_for_each_class(name: str) -> None:
    model = build_backbone(name, 5).eval()
    assert model(torch.zeros(2, 3, 36, 64)).shape == (2, 5)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_local_weights_are_those_of_the_file(suffix: str, tmp_path: Path) -> None:
    source = mobilenet_v3_small(weights=None)
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save(source.state_dict(), path)
    else:
        save_file(source.state_dict(), path)
    model = build_backbone("mobilenet_v3_small", 3, str(path))
    pixels = torch.randn(2, 3, 32, 32)
    features = nn.Sequential(source.features, source.avgpool).eval()
    ours = nn.Sequential(model.get_submodule("features"), model.get_submodule("avgpool")).eval()
    assert torch.equal(features(pixels), ours(pixels))
    assert head_of(model).out_features == 3


def test_default_weights_come_by_way_of_torchvisions_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = get_model_weights("mobilenet_v3_small").DEFAULT.url
    path = tmp_path / "hub" / "checkpoints" / Path(url).name
    path.parent.mkdir(parents=True)
    source = mobilenet_v3_small(weights=None)
    torch.save(source.state_dict(), path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = build_backbone("mobilenet_v3_small", 3, "default")
    expected = source.state_dict()["features.0.0.weight"]
    assert torch.equal(model.state_dict()["features.0.0.weight"], expected)


def test_without_network_the_error_names_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy"):  # port 9: nobody listens there
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ConnectionError, match=r"(?s)could not be downloaded.*'none'.*\.pth"):
        build_backbone("mobilenet_v3_small", 3, "default")


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    torch.save(mobilenet_v2(weights=None).state_dict(), tmp_path / "v2.pth")
    with pytest.raises(ValueError, match="weights of mobilenet_v3_small in"):
        build_backbone("mobilenet_v3_small", 3, str(tmp_path / "v2.pth"))


def test_a_missing_file_of_weights_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"'default', 'none' or a file, .*no-such\.pth"):
        build_backbone("resnet18", 3, "no-such.pth")


def test_code_in_a_file_of_weights_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"a": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(Exception, match=r"[Ww]eights"):
        read_weights(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_an_unknown_backbone_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"efficientnet_b7.*but got 'vgg'"):
        build_backbone("vgg", 3)


def test_half_is_pixel_by_127_5_minus_1() -> None:
    pixels = torch.tensor([0.0, 51.0, 255.0]).view(3, 1, 1).expand(1, 3, 2, 2)
    found = Normalisation.of("auto", "none").apply(pixels / 255)
    assert torch.allclose(found, pixels / 127.5 - 1, atol=1e-6)


def test_default_weights_are_normalised_as_torchvision_does() -> None:
    transform = get_model_weights("mobilenet_v2").DEFAULT.transforms()
    found = Normalisation.of("auto", "default")
    assert (list(found.mean), list(found.std)) == (transform.mean, transform.std)
    with pytest.raises(ValueError, match="'auto', 'half' or 'imagenet'"):
        Normalisation.of("other")
