"""Using a model: `from shared.predict import Predictor`; `python -m shared.predict --help`."""

from shared.predict.answers import Answer, Answers, Area, Guess, Pin
from shared.predict.predictor import Predictor
from shared.processing.decode import ImageRefusedError, Reason

__all__ = ["Answer", "Answers", "Area", "Guess", "ImageRefusedError", "Pin", "Predictor", "Reason"]
