"""Text encoders: DistilBERT and its like by name or from a folder, or a small stand-in.

Without network there are no pretrained weights: a tokenizer is then trained on the captions, and a
DistilBERT of a few small layers starts from random weights. It knows no word beyond the captions,
and is called a stand-in wherever it is shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    DistilBertConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from shared.paths import root
from shared.training.hub import explained, whole_model

STAND_IN = "none"  # in place of a name: random weights, and a tokenizer trained on the captions
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
VOCABULARY = 2000  # pieces of words
UNUSED = ("pooler.",)  # layers that the first token's state does not pass
SIZES: Mapping[str, float] = {
    "dim": 64,
    "hidden_dim": 128,
    "n_layers": 2,
    "n_heads": 4,
    # 1 / sqrt(dim). DistilBERT's 0.02 suits 768: here it leaves the first token, which stands for
    # the text, as good as deaf to the others, and all texts alike.
    "initializer_range": 0.125,
}


def train_tokenizer(
    texts: Iterable[str], length: int, vocabulary: int = VOCABULARY
) -> PreTrainedTokenizerFast:
    """A tokenizer of pieces of words (byte pairs), trained on captions.

    Case and accents are dropped. A word that no caption has is spelled in pieces, so that two
    names are two texts even where neither has been read.

    Args:
        texts: the captions; their order changes nothing.
        length: how many tokens a text may have.
        vocabulary: how many pieces there are, at most.
    """
    pieces = Tokenizer(models.BPE(unk_token="[UNK]"))
    pieces.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]
    )
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=letters,
        show_progress=False,
    )
    pieces.train_from_iterator(sorted(texts), trainer)
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, SPECIAL.index(name)) for name in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=pieces,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=length,
    )


@dataclass(frozen=True)
class TextEncoder:
    """A network for texts with its tokenizer.

    Attributes:
        network: of transformers; its first token's last state stands for the text.
        tokenizer: of its texts.
        length: how many tokens a text may have; what is longer is cut.
        is_stand_in: whether it is not pretrained.
    """

    network: nn.Module
    tokenizer: PreTrainedTokenizerBase
    length: int
    is_stand_in: bool

    @property
    def width(self) -> int:
        """How many numbers stand for a text."""
        return int(self.network.config.hidden_size)  # type: ignore[union-attr,arg-type]

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(K, L) token numbers of K texts, and which of them are no padding."""
        found = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.length,
            return_tensors="pt",
        )
        return found["input_ids"], found["attention_mask"]

    def facts(self) -> dict[str, Any]:
        """Plain values of which `empty_network` makes the network again, without its weights."""
        return {
            "config": self.network.config.to_dict(),  # type: ignore[union-attr,operator]
            "length": self.length,
            "is_stand_in": self.is_stand_in,
        }


def build_text_encoder(
    source: str, captions: Iterable[str], length: int, seed: int, revision: str = ""
) -> TextEncoder:
    """A text encoder to train.

    Args:
        source: a name at huggingface.co such as `"distilbert-base-uncased"`, a folder (absolute,
            or below the project's root), or `"none"` for the stand-in.
        captions: what the stand-in's tokenizer is trained on.
        length: how many tokens a text may have.
        seed: feeds the stand-in's weights.
        revision: of a name: a commit, so that the weights stay the same; "" for the newest.

    Raises:
        FileNotFoundError: when the source is neither there nor to be downloaded.
        ValueError: when what is there is no whole model.
    """
    if source == STAND_IN:
        tokenizer = train_tokenizer(captions, length)
        config = DistilBertConfig(
            vocab_size=len(tokenizer),
            max_position_embeddings=length,
            pad_token_id=tokenizer.pad_token_id,
            **SIZES,  # type: ignore[arg-type]
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
            return TextEncoder(network, tokenizer, length, True)
    folder = root() / source
    where = str(folder) if folder.is_dir() else source
    pinned = {"revision": revision} if revision and not folder.is_dir() else {}
    with explained(
        source,
        f"Expected a text encoder in the folder {source!r}, or one to be downloaded by that name",
        f"copy the encoder's folder here and give its path, or {STAND_IN!r} for the stand-in, "
        "which trains from random weights",
    ):
        network = whole_model(where, pinned, UNUSED)
        tokens = AutoTokenizer.from_pretrained(where, **pinned)
    return TextEncoder(network, tokens, length, False)


def empty_network(facts: Mapping[str, Any]) -> nn.Module:
    """The network of `TextEncoder.facts`, with random weights."""
    told = dict(facts["config"])
    config = AutoConfig.for_model(told.pop("model_type"), **told)
    network: nn.Module = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    return network


def tokenizer_files(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """The text of the files that a tokenizer is saved as, by name."""
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        paths = sorted(path for path in Path(folder).iterdir() if path.is_file())
        return {path.name: path.read_text(encoding="utf-8") for path in paths}


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that lies in a folder."""
    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(folder))
    return found
