"""The runner's error for what a person can put right: shown without a traceback."""


class RunError(ValueError):
    """Something asked of the runner cannot be done; the text says what to do instead."""
