"""The maps of all methods of a model over some photos, and those that they are held against.

Three of them know less: the middle of the photo; the same network with random weights; and the
model's own map of another photo, which knows where cues usually are but not where they are here.
"""

from collections.abc import Sequence

from tqdm import tqdm

from shared.evaluation.looking import Eye, Map, look
from shared.evaluation.looking_models import untrained
from shared.evaluation.pointing import CENTRE, centre_map
from shared.training.images import Bytes

UNTRAINED, OTHER = "untrained", "another photo's"


def all_maps(
    eye: Eye, images: Bytes, countries: Sequence[str], n_untrained: int, seed: int, title: str = ""
) -> dict[str, list[Map]]:
    """The maps of N photos, by method.

    Args:
        eye: the model.
        images: (N, H, W, 3) bytes, its inputs.
        countries: the N countries that are asked about.
        n_untrained: how many networks with random weights; they take the photos in turn.
        seed: of the first of them.
        title: of the progress bar.

    Returns:
        For each method of the model: its maps, `"<method>, untrained"` where there are such
        networks, and `"<method>, another photo's"`; and `"centre"`.
    """
    blank = [untrained(eye, seed + number, images) for number in range(n_untrained)]
    found: dict[str, list[Map]] = {method: [] for method in eye.methods}
    for method in eye.methods if blank else ():
        found[f"{method}, {UNTRAINED}"] = []
    for number in tqdm(range(len(images)), desc=title or "look", unit="photo"):
        image, country = images[number], countries[number]
        for method in eye.methods:
            found[method].append(look(eye, method, image, country))
            if blank:
                other = look(blank[number % len(blank)], method, image, country)
                found[f"{method}, {UNTRAINED}"].append(other)
    half = len(images) // 2
    for method in eye.methods:
        found[f"{method}, {OTHER}"] = [*found[method][half:], *found[method][:half]]
    found[CENTRE] = [centre_map(*images.shape[1:3])] * len(images)
    return found
