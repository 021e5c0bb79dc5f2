"""A small CLIP with random weights: the stand-in where no pretrained one can be had."""

from collections.abc import Iterable, Mapping

import torch
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from shared.training.text import train_tokenizer

TINY_SIZES: Mapping[str, int] = {
    "hidden": 128,
    "layers": 4,
    "heads": 4,
    "patch": 16,
    "text_hidden": 64,
    "text_layers": 2,
    "text_heads": 4,
    "projection": 64,
    "text_length": 64,
}


def caption_tokenizer(texts: Iterable[str], length: int) -> PreTrainedTokenizerFast:
    """The tokenizer of `train_tokenizer`, with its end token where a CLIP looks for one.

    Args:
        texts: the captions.
        length: how many tokens a text may have.
    """
    tokenizer = train_tokenizer(texts, length)
    tokenizer.bos_token, tokenizer.eos_token = tokenizer.cls_token, tokenizer.sep_token
    return tokenizer


def tiny_clip(
    tokenizer: PreTrainedTokenizerBase, sizes: Mapping[str, int], width: int, seed: int
) -> CLIPModel:
    """A small CLIP with random weights: the stand-in where no pretrained one can be had.

    Args:
        tokenizer: its special tokens and vocabulary size go into the config.
        sizes: of `TINY_SIZES`, those that differ.
        width: of the photos, pixels; other heights get the positions interpolated.
        seed: feeds the weights.

    Raises:
        ValueError: for an unknown size, or a tokenizer whose end token is number 2.
    """
    if unknown := sorted(set(sizes) - set(TINY_SIZES)):
        msg = f"Expected sizes out of {list(TINY_SIZES)}, but got {unknown}"
        raise ValueError(msg)
    if tokenizer.eos_token_id in (None, 2):
        # transformers takes 2 for a config of its early days, and then reads the text's vector at
        # the token of the highest number, which is any rare word.
        msg = f"Expected an end token of a number other than 2, got {tokenizer.eos_token_id}"
        raise ValueError(msg)
    size = {**TINY_SIZES, **sizes}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": size["text_hidden"],
        "intermediate_size": 4 * size["text_hidden"],
        "num_hidden_layers": size["text_layers"],
        "num_attention_heads": size["text_heads"],
        "max_position_embeddings": size["text_length"],
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision = {
        "hidden_size": size["hidden"],
        "intermediate_size": 4 * size["hidden"],
        "num_hidden_layers": size["layers"],
        "num_attention_heads": size["heads"],
        "image_size": width,
        "patch_size": size["patch"],
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CLIPConfig(
            text_config=text, vision_config=vision, projection_dim=size["projection"]
        )
        return CLIPModel(config)
