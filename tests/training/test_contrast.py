"""The contrastive loss against transformers, cross-entropy with soft targets, and two processes."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.multiprocessing.spawn import spawn
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

from shared.training import contrast
from shared.training.contrast import contrastive_loss, gathered

GROUPS = torch.tensor([0, 1, 0, 2, 2, 2, 3])


def embeddings(n: int = 7, width: int = 5, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images, texts = torch.randn(2, n, width, generator=generator, dtype=torch.float64).float()
    return images.requires_grad_(), texts.requires_grad_(), torch.tensor(7.0, requires_grad=True)


def similarities(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    return scale * F.normalize(images, dim=1) @ F.normalize(texts, dim=1).T


def gradients(loss: Tensor, tensors: tuple[Tensor, ...]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, tensors))


def expected_of(tensors: tuple[Tensor, Tensor, Tensor], repeats: str) -> Tensor:
    logits = similarities(*tensors)
    if repeats == "negatives":
        found: Tensor = image_text_contrastive_loss(logits.T)
        return found
    same = GROUPS[:, None] == GROUPS
    if repeats == "soft":
        targets = same / same.sum(dim=1, keepdim=True)
        return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
    logits = logits.masked_fill(same & ~torch.eye(7, dtype=torch.bool), -torch.inf)
    own = torch.arange(7)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


@pytest.mark.parametrize("repeats", ["soft", "mask", "negatives"])
@pytest.mark.parametrize("entries", [10, 2**22])
def test_loss_and_gradients_are_those_of_cross_entropy(
    repeats: str, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contrast, "BLOCK_ENTRIES", entries)  # 10: a row at a time
    tensors = embeddings()
    found, wanted = contrastive_loss(*tensors, GROUPS, repeats), expected_of(tensors, repeats)
    assert found.item() == pytest.approx(wanted.item(), abs=1e-5)
    for mine, theirs in zip(gradients(found, tensors), gradients(wanted, tensors), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_a_batch_of_one_text_has_nothing_to_learn_when_repeats_are_no_negatives() -> None:
    images, texts, scale = embeddings()
    groups = torch.zeros(7, dtype=torch.long)
    assert contrastive_loss(images, texts, scale, groups, "mask").item() == pytest.approx(
        0, abs=1e-5
    )
    # With one vector for all texts, each image spreads evenly over them: the loss is ln 7 for each.
    even = contrastive_loss(images, texts[:1].expand(7, -1), torch.tensor(0.0), groups, "soft")
    assert even.item() == pytest.approx(1.945910, abs=1e-5)


def test_large_scales_do_not_overflow() -> None:
    images, _, _ = embeddings()
    loss = contrastive_loss(images, -images, torch.tensor(100.0))
    assert torch.isfinite(loss)
    # Each image is opposite to its text: its logit is -100, the largest of the others near 0.
    assert 50 < loss.item() < 250


def test_embeddings_of_different_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"both \(N, D\), but got \(\(3, 4\), \(2, 4\)\)"):
        contrastive_loss(torch.zeros(3, 4), torch.zeros(2, 4), torch.tensor(1.0))


def test_groups_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="a group for each of 3 rows"):
        contrastive_loss(torch.ones(3, 4), torch.ones(3, 4), torch.tensor(1.0), GROUPS)


def test_another_name_for_repeats_is_refused() -> None:
    with pytest.raises(ValueError, match="repeats to be one of"):
        contrastive_loss(torch.ones(3, 4), torch.ones(3, 4), torch.tensor(1.0), None, "none")


def test_one_process_gathers_its_own_rows() -> None:
    images, _, _ = embeddings()
    assert gathered(images) is images


def _process(rank: int, folder: str, n: int) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.set_num_threads(1)
    images, texts, scale = embeddings(n)
    rows = slice(rank * n // 2, (rank + 1) * n // 2)
    own = [part[rows].detach().requires_grad_() for part in (images, texts)]
    groups = gathered(torch.arange(n)[rows] % 3)
    loss = contrastive_loss(gathered(own[0]), gathered(own[1]), scale, groups)
    loss.backward()  # type: ignore[no-untyped-call]
    found = {
        "loss": loss.detach(),
        "images": own[0].grad,
        "texts": own[1].grad,
        "scale": scale.grad,
    }
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_get_the_loss_and_gradients_of_the_whole_batch(tmp_path: Path) -> None:
    n = 6
    spawn(_process, (str(tmp_path), n), nprocs=2)  # type: ignore[no-untyped-call]
    tensors = embeddings(n)
    whole = contrastive_loss(*tensors, torch.arange(n) % 3)
    wanted = gradients(whole, tensors)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for part in parts:
        assert part["loss"].item() == pytest.approx(whole.item(), abs=1e-6)
        torch.testing.assert_close(part["scale"], wanted[2])
    for name, gradient in zip(("images", "texts"), wanted, strict=False):
        # Twice as large: the mean over the two processes' parameters halves it again.
        found = torch.cat([part[name] for part in parts]) / 2
        torch.testing.assert_close(found, gradient, atol=1e-6, rtol=1e-4)
