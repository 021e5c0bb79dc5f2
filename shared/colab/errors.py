"""The error of `run_colab.sh` for what a person can put right."""


class ColabError(RuntimeError):
    """Something that the machine lacks; the text says what to do."""
