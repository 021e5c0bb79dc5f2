"""A head to begin fine-tuning with: a linear classifier of what the pretrained backbone returns.

A random head sends arbitrary gradients into a pretrained backbone, which then unlearns some of what
it knew before the head is any good. Kumar et al., *Fine-Tuning can Distort Pretrained Features and
Underperform Out-of-Distribution* (ICLR 2022), fit the head first, and tune everything from there.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from shared.training.backbones import Normalisation, head_of
from shared.training.batches import Split
from shared.training.targets import classes_of

AT_ONCE = 64  # photos
INVERSE_PENALTY = 3e-3  # C of the classifier, on standardised features
ROUNDS = 200


def probe_head(model: nn.Module, split: Split, normalisation: Normalisation) -> None:
    """Set the head to a logistic regression on the backbone's features of some photos.

    Args:
        model: a backbone with a head; the head is changed in place.
        split: photos and their classes, as they are, without augmentation.
        normalisation: of the photos.

    Raises:
        ValueError: for targets that are not classes, or fewer than two of them.
    """
    classes = classes_of(split.targets).numpy()
    if len(np.unique(classes)) < 2:
        msg = "Expected photos of two classes or more to fit a head with, but all are of one"
        raise ValueError(msg)
    scaler = StandardScaler()
    features = scaler.fit_transform(_features(model, split, normalisation).astype(np.float64))
    classifier = LogisticRegression(C=INVERSE_PENALTY, max_iter=ROUNDS).fit(features, classes)
    weight, bias = classifier.coef_, classifier.intercept_
    if len(weight) == 1:  # of two classes, scikit-learn keeps the difference
        weight, bias = np.vstack([-weight, weight]) / 2, np.hstack([-bias, bias]) / 2
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    head = head_of(model)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(float(bias.min()))  # classes without a photo here are never likelier
        head.weight[classifier.classes_] = torch.from_numpy(weight).to(head.weight)
        head.bias[classifier.classes_] = torch.from_numpy(bias).to(head.bias)


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
