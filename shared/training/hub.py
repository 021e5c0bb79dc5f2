"""Weights of transformers by name or from a folder, whole or not at all, with errors in words.

The libraries raise what happens to go wrong inside them, and where a file lacks a weight they put
random numbers in its place with no more than a notice. Here every weight must be there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any

import httpx
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModel

ERROR_CHARACTERS = 200  # of a library's error


@contextmanager
def explained(source: str, lacking: str, remedy: str) -> Iterator[None]:
    """Errors of reading a source, in words.

    Args:
        source: a name or a folder.
        lacking: what is said when it is neither there nor to be downloaded.
        remedy: what to do then.

    Raises:
        FileNotFoundError: when it is neither there nor to be downloaded, or the download broke off.
        ValueError: when what is there is no model.
    """
    try:
        yield
    except (OSError, httpx.HTTPError) as error:
        told = str(error)[:ERROR_CHARACTERS]
        msg = f"{lacking}, but neither is there: {told} ... Without network: {remedy}"
        raise FileNotFoundError(msg) from error
    except (SafetensorError, JSONDecodeError, RuntimeError) as error:
        told = str(error)[:ERROR_CHARACTERS]
        msg = (
            f"Expected a model of transformers, but its files cannot be read in {source!r}: {told} "
            "... A download that broke off or a web page under the name of weights is removed "
            "from the cache by hand; or pin another revision"
        )
        raise ValueError(msg) from error


def whole_model(
    where: str,
    pinned: dict[str, str],
    spared: Sequence[str] = (),
    load: Callable[..., Any] = AutoModel.from_pretrained,
) -> nn.Module:
    """A model all of whose weights are read.

    Args:
        where: a folder or a name.
        pinned: the revision of a name.
        spared: beginnings of the names of weights that are never used and may lack.
        load: reads it.

    Raises:
        ValueError: when a weight is not in the file.
    """
    model, info = load(where, output_loading_info=True, **pinned)
    lacking = sorted(k for k in info["missing_keys"] if not k.startswith(tuple(spared)))
    if lacking:
        msg = (
            f"Expected all weights of {type(model).__name__} in {where!r}, but {len(lacking)} are "
            f"not there, such as {lacking[0]!r}: is it the file of another model?"
        )
        raise ValueError(msg)
    found: nn.Module = model
    return found
