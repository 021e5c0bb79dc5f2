"""Using a model: `from shared.predict import Predictor`; `python -m shared.predict --help`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.predict.answers import Answer, Answers, Area, Guess, Pin
    from shared.predict.predictor import Predictor
    from shared.processing.decode import ImageRefusedError, Reason

__all__ = ["Answer", "Answers", "Area", "Guess", "ImageRefusedError", "Pin", "Predictor", "Reason"]

# Where each name lies: imported when it is asked for, so that `--help` need not wait for torch.
_HOMES = {
    "Predictor": "shared.predict.predictor",
    "ImageRefusedError": "shared.processing.decode",
    "Reason": "shared.processing.decode",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - classes of several kinds
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES.get(name, "shared.predict.answers")), name)
