"""Files as TensorFlow writes them, made without it: the names that the original releases use, and their kind of index."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

MAGIC = 0xDB4775248B80FB57
FLOAT, DOUBLE, INT64, BFLOAT16, HALF = 1, 2, 9, 14, 19


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block of a sorted table, each key with what it shares with the one before it, and the byte for "not compressed"."""
    body, before = b"", b""
    for key, value in entries:
        shared = next((i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before)))
        body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return body + struct.pack("<II", 0, 1) + b"\0" + struct.pack("<I", 0)


def write_bundle(prefix: Path, tensors: dict[str, np.ndarray], *, dtype: int | None = None, n_blocks: int = 2) -> None:
    """`prefix.index` and the one data file. dtype: as which number of tensorflow.DataType the float32 values are declared."""
    kinds = {"float32": FLOAT, "float64": DOUBLE, "int64": INT64, "uint16": BFLOAT16, "float16": HALF}
    entries, data = [(b"", field(1, 1))], b""
    for name, values in sorted(tensors.items()):
        shape = b"".join(field(2, field(1, n)) for n in values.shape)
        body = values.astype(values.dtype.newbyteorder("<")).tobytes()
        entry = field(1, dtype or kinds[values.dtype.name]) + field(2, shape) + field(4, len(data)) + field(5, len(body))
        entries.append((name.encode(), entry))
        data += body
    content, handles = b"", []
    for part in np.array_split(np.arange(len(entries)), n_blocks):
        found = block([entries[i] for i in part])
        handles.append((entries[part[-1]][0], varint(len(content)) + varint(len(found) - 5)))
        content += found
    footer = b""
    for made in (block([]), block(handles)):  # the index of filters, and that of the blocks
        footer += varint(len(content)) + varint(len(made) - 5)
        content += made
    prefix.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{prefix}.index").write_bytes(content + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC))
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)


def linear(name: str, layer: nn.Linear) -> dict[str, np.ndarray]:
    found = {f"{name}/kernel": layer.weight.detach().numpy().T}
    return found if layer.bias is None else found | {f"{name}/bias": layer.bias.detach().numpy()}


def norm(name: str, layer: nn.LayerNorm) -> dict[str, np.ndarray]:
    return {f"{name}/gamma": layer.weight.detach().numpy(), f"{name}/beta": layer.bias.detach().numpy()}


def embeddings_of_bert(name: str, part: nn.Module) -> dict[str, np.ndarray]:
    tables = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    found = {f"{name}/{table}": getattr(part, table).weight.detach().numpy() for table in tables}
    return found | norm(f"{name}/LayerNorm", part.LayerNorm)


def layers_of_bert(name: str, encoder: nn.Module) -> dict[str, np.ndarray]:
    found = {}
    for i, layer in enumerate(encoder.layer):
        here, attention = f"{name}/layer_{i}", layer.attention
        for part in ("query", "key", "value"):
            found |= linear(f"{here}/attention/self/{part}", getattr(attention.self, part))
        found |= linear(f"{here}/attention/output/dense", attention.output.dense)
        found |= norm(f"{here}/attention/output/LayerNorm", attention.output.LayerNorm)
        found |= linear(f"{here}/intermediate/dense", layer.intermediate.dense)
        found |= linear(f"{here}/output/dense", layer.output.dense)
        found |= norm(f"{here}/output/LayerNorm", layer.output.LayerNorm)
    return found


def bert(network) -> dict[str, np.ndarray]:
    found = embeddings_of_bert("bert/embeddings", network.embeddings) | layers_of_bert("bert/encoder", network.encoder)
    return found | linear("bert/pooler/dense", network.pooler.dense)


def electra(network) -> dict[str, np.ndarray]:
    found = embeddings_of_bert("electra/embeddings", network.embeddings) | layers_of_bert("electra/encoder", network.encoder)
    found |= linear("electra/embeddings_project", network.embeddings_project)
    # The generator is in the same file.
    return found | {"generator/encoder/layer_0/attention/self/query/kernel": np.ones((2, 2), "f4")}


def albert(network) -> dict[str, np.ndarray]:
    found = embeddings_of_bert("bert/embeddings", network.embeddings)
    found |= linear("bert/encoder/embedding_hidden_mapping_in", network.encoder.embedding_hidden_mapping_in)
    here = "bert/encoder/transformer/group_0/inner_group_0"
    layer = network.encoder.albert_layer_groups[0].albert_layers[0]
    for part in ("query", "key", "value"):
        found |= linear(f"{here}/attention_1/self/{part}", getattr(layer.attention, part))
    found |= linear(f"{here}/attention_1/output/dense", layer.attention.dense)
    found |= norm(f"{here}/LayerNorm", layer.attention.LayerNorm)
    found |= linear(f"{here}/ffn_1/intermediate/dense", layer.ffn)
    found |= linear(f"{here}/ffn_1/intermediate/output/dense", layer.ffn_output)
    found |= norm(f"{here}/LayerNorm_1", layer.full_layer_layer_norm)
    return found | linear("bert/pooler/dense", network.pooler)


def xlnet(network) -> dict[str, np.ndarray]:
    found = {"model/transformer/word_embedding/lookup_table": network.word_embedding.weight.detach().numpy()}
    found["model/transformer/mask_emb/mask_emb"] = network.mask_emb.detach().numpy()
    for name in ("r_w_bias", "r_r_bias", "r_s_bias", "seg_embed"):
        found[f"model/transformer/{name}"] = np.stack([getattr(x.rel_attn, name).detach().numpy() for x in network.layer])
    for i, layer in enumerate(network.layer):
        here = f"model/transformer/layer_{i}"
        for part in "qkvor":
            found[f"{here}/rel_attn/{part}/kernel"] = getattr(layer.rel_attn, part).detach().numpy()
        found |= norm(f"{here}/rel_attn/LayerNorm", layer.rel_attn.layer_norm)
        found |= linear(f"{here}/ff/layer_1", layer.ff.layer_1) | linear(f"{here}/ff/layer_2", layer.ff.layer_2)
        found |= norm(f"{here}/ff/LayerNorm", layer.ff.layer_norm)
    return found


def gpt2(network) -> dict[str, np.ndarray]:
    found = {f"model/{table}": getattr(network, table).weight.detach().numpy() for table in ("wte", "wpe")}

    def affine(name: str, part: nn.Module, weight: str, *, leading: bool) -> dict[str, np.ndarray]:
        values = part.weight.detach().numpy()
        return {f"{name}/{weight}": values[None] if leading else values, f"{name}/b": part.bias.detach().numpy()}

    for i, layer in enumerate(network.h):
        for name, part in (("ln_1", layer.ln_1), ("ln_2", layer.ln_2)):
            found |= affine(f"model/h{i}/{name}", part, "g", leading=False)
        for name, part in (
            ("attn/c_attn", layer.attn.c_attn), ("attn/c_proj", layer.attn.c_proj),
            ("mlp/c_fc", layer.mlp.c_fc), ("mlp/c_proj", layer.mlp.c_proj),
        ):  # fmt: skip
            found |= affine(f"model/h{i}/{name}", part, "w", leading=True)
    return found | affine("model/ln_f", network.ln_f, "g", leading=False)


ORIGINAL = {"bert": bert, "electra": electra, "albert": albert, "xlnet": xlnet, "gpt2": gpt2}


def of_keras(network) -> dict[str, np.ndarray]:
    """The weights of a body under the names that transformers 4's TensorFlow classes give them, told by the kind of each part."""
    from torch import nn

    found = {}
    for name, part in network.named_modules():
        path = f"tf_{network.config.model_type}_model/{network.base_model_prefix}/{name.replace('.', '/')}"
        for i in range(8):
            path = path.replace(f"/{i}/", f"_._{i}/") if f"/{i}/" in path else path
        for key, value in part.named_parameters(recurse=False):
            values = value.detach().numpy()
            if isinstance(part, nn.Linear) and key == "weight":
                found[f"{path}/kernel:0"] = values.T
            elif isinstance(part, nn.LayerNorm):
                found[f"{path}/{'gamma' if key == 'weight' else 'beta'}:0"] = values
            elif isinstance(part, nn.Embedding):
                found[f"{path}/{'weight' if 'word' in name or name == 'wte' else 'embeddings'}:0"] = values
            elif type(part).__name__ == "Conv1D" and key == "bias":
                found[f"{path}/bias:0"] = values[None]
            else:
                found[f"{path}/{key}:0".replace("//", "/")] = values
    return found


def write_h5(path: Path, tensors: dict[str, np.ndarray], layer: str) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode()]
        group = file.create_group(layer)
        group.attrs["weight_names"] = [name.encode() for name in tensors]
        for name, values in tensors.items():
            group.create_dataset(name, data=values)
