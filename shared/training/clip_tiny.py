"""A small CLIP with random weights: the stand-in where no pretrained one can be had."""

from collections.abc import Iterable, Mapping

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[BOS]", "[EOS]")
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
    """A tokenizer of whole words, trained on captions; a word that it has not read is `[UNK]`.

    Case and accents are dropped. The order of the texts changes nothing but numbers of equally
    frequent words, so give them in a fixed one.

    Args:
        texts: the captions.
        length: how many tokens a text may have.
    """
    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]
    )
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.train_from_iterator(
        texts, trainers.WordLevelTrainer(special_tokens=list(SPECIAL), show_progress=False)
    )
    words.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]",
        special_tokens=[(name, SPECIAL.index(name)) for name in ("[BOS]", "[EOS]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        model_max_length=length,
    )


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
