"""A head to begin fine-tuning with: a linear model of what the pretrained backbone returns.

A random head sends arbitrary gradients into a pretrained backbone, which then unlearns some of what
it knew before the head is any good. Kumar et al., *Fine-Tuning can Distort Pretrained Features and
Underperform Out-of-Distribution* (ICLR 2022), fit the head first, and tune everything from there.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from shared.training.backbones import Normalisation, head_of
from shared.training.batches import Split
from shared.training.objectives import Objective

AT_ONCE = 64  # photos
INVERSE_PENALTY = 3e-3  # C of the classifier, on standardised features
ROUNDS = 200
PENALTIES = tuple(10.0**power for power in range(6))  # of the regression


def probe_head(
    model: nn.Module, split: Split, normalisation: Normalisation, objective: Objective
) -> None:
    """Set the head to a linear model of the backbone's features of some photos.

    Where outputs are logits it is a logistic regression, otherwise a ridge regression whose penalty
    is the best by leaving one photo out. Outputs that are neither begin at zero.

    Args:
        model: a backbone with a head; the head is changed in place.
        split: photos and their targets, as they are, without augmentation.
        normalisation: of the photos.
        objective: says what the outputs should be.

    Raises:
        ValueError: for targets that do not fit the objective, or fewer than two classes.
    """
    wanted = objective.probe(split.targets).cpu().numpy()
    is_classes = wanted.ndim == 1
    if is_classes and len(np.unique(wanted)) < 2:
        msg = "Expected photos of two classes or more to fit a head with, but all are of one"
        raise ValueError(msg)
    scaler = StandardScaler()
    features = scaler.fit_transform(_features(model, split, normalisation).astype(np.float64))
    rows, weight, bias = (_classifier if is_classes else _regression)(features, wanted)
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    head = head_of(model)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        # Classes without a photo here are never likelier than those that have some.
        head.bias[: objective.n_logits] = float(bias.min())
        head.weight[rows] = torch.from_numpy(weight).to(head.weight)
        head.bias[rows] = torch.from_numpy(bias).to(head.bias)


Fitted = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


def _classifier(features: NDArray[np.float64], classes: NDArray[np.int64]) -> Fitted:
    """The outputs that are fitted, with their weights and biases."""
    found = LogisticRegression(C=INVERSE_PENALTY, max_iter=ROUNDS).fit(features, classes)
    weight, bias = found.coef_, found.intercept_
    if len(weight) == 1:  # of two classes, scikit-learn keeps the difference
        weight, bias = np.vstack([-weight, weight]) / 2, np.hstack([-bias, bias]) / 2
    return found.classes_, weight, bias


def _regression(features: NDArray[np.float64], values: NDArray[np.float64]) -> Fitted:
    found = RidgeCV(alphas=PENALTIES).fit(features, values)
    return np.arange(values.shape[1]), found.coef_, np.asarray(found.intercept_)


@torch.inference_mode()
def _features(model: nn.Module, split: Split, normalisation: Normalisation) -> NDArray[np.float32]:
    """(M, D) what the head gets of each photo."""
    found: list[Tensor] = []
    handle = head_of(model).register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    was_training = model.training
    model.eval()
    rows = np.arange(len(split.images)) if split.rows is None else split.rows
    for start in range(0, len(rows), AT_ONCE):
        photos = torch.from_numpy(split.images[rows[start : start + AT_ONCE]])
        model(normalisation.apply(photos.permute(0, 3, 1, 2).float() / 255))
    handle.remove()
    model.train(was_training)
    features: NDArray[np.float32] = torch.cat(found).numpy()
    return features
