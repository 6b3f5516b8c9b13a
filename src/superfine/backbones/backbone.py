"""A loaded network and how to run it on a batch: packed where its family is known, padded where it is not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from superfine.backbones import window_attention
from superfine.backbones.batch import Batch
from superfine.backbones.families import Family, max_positions
from superfine.backbones.heads import above_body, head_modules, head_names, logits_of, own_head, token_logits
from superfine.backbones.memory import give_back
from superfine.backbones.packed.attention import PACKED_ATTENTION, packed, register
from superfine.backbones.packed.checkpointing import is_recomputed, recompute_layer
from superfine.backbones.packed.dropout import use_fast_dropout
from superfine.backbones.packed.kernels import flash_from
from superfine.backbones.packed.layers import patch_layer, restore_layer
from superfine.backbones.padding import (
    IN_SEVERAL_BUCKETS,
    REFUSALS,
    SHORT,
    Padding,
    agree,
    differ_plainly,
    first_sound,
    probe,
    rectangles,
)
from superfine.backbones.process import compute_after_forks, quiet_transformers
from superfine.backbones.save import save_configuration, save_network, save_tokenizer, write_json
from superfine.backbones.sources.adapter import BASE, AdapterBase
from superfine.backbones.structure import layers_of, repeated_parts
from superfine.data.vocabulary import sharing
from superfine.errors import ConfigError, ModelError, first_line
from superfine.records import Read

TASK_TYPES = {"SequenceClassification": "SEQ_CLS", "TokenClassification": "TOKEN_CLS", "QuestionAnswering": "QUESTION_ANS"}
"""peft's words for heads of transformers."""


class Backbone:
    """A Hugging Face network with its tokenizer, and the way it is computed.

    `is_packed` says which way. It is decided once, by comparing both ways on a few token sequences. `padding` says how texts are
    padded where it is not.
    `compute_dtype` is the format of the body's computation: its weights have it where the family is known, else autocast does.
    `saved_dtype` is that of the weights in the file that `save` writes.
    `by_token` says whether the head answers for each token.
    `fresh` names the parameters that start from random values, `notes` says what became of the head that came with the weights.
    `takes_types` says whether the tokenizer tells the network which text of a pair a token is of.
    `adapter` is trained in place of the body's weights, until `merge_adapter` adds it to them and it becomes `merged`.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Tokenizer,
        wrapper: Any,
        family: Family | None,
        *,
        by_token: bool = False,
        fresh: Collection[str] = (),
        notes: Sequence[str] = (),
        adapter: Any = None,
        again: Callable[[], Mapping[str, Tensor]] | None = None,
    ) -> None:
        compute_after_forks()
        self.network = network
        self.tokenizer = tokenizer
        self.family = family
        self.by_token = by_token
        self.fresh = frozenset(fresh)
        self.notes = tuple(notes)
        self.adapter = adapter
        self.merged: Any = None
        self._again = again
        self._wrapper = wrapper
        self.takes_types = "token_type_ids" in wrapper.model_input_names
        self.is_packed = False
        self._recomputes = False
        side: Padding = wrapper.padding_side if family is None else family.padded_on
        self.padding, self._padding_of_embeddings = side, cast("Padding | None", side)
        self.compute_dtype = torch.float32
        self.saved_dtype = torch.float32
        for module in head_modules(network):
            module.register_forward_pre_hook(_cast_to_own_dtype)

    @property
    def head_parameters(self) -> frozenset[str]:
        """The names of the parameters that learn at the head's rate: all above the body, and whatever starts from random
        values."""
        return self.fresh | above_body(self.network)

    @property
    def device(self) -> torch.device:
        return cast(torch.device, next(self.network.parameters()).device)

    @property
    def can_restore(self) -> bool:
        """Whether `restore` can be called."""
        return self._again is not None

    def restore(self, parameters: Collection[nn.Parameter]) -> None:
        """Give these parameters the pretrained values that they had, in float32, read again from where they are from."""
        assert self._again is not None
        wanted = {id(parameter) for parameter in parameters}
        pretrained = self._again()
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                if id(parameter) in wanted:
                    parameter.data = pretrained[name.replace(".base_layer", "")].to(self.device)

    def recompute_layers(self) -> None:
        """Keep what is between layers for the backward pass, and compute again what is inside them: gradient checkpointing.

        Raises ConfigError where no layers are found.
        """
        if not repeated_parts(self.network):
            raise ConfigError(
                f"training.gradient_checkpointing cannot be done: no layers are found in {type(self.network).__name__}.",
                "Leave it out.",
            )
        self._recomputes = True
        self._recompute()

    def _recompute(self) -> None:
        for layer in repeated_parts(self.network) if self._recomputes else []:
            if not is_recomputed(layer):
                recompute_layer(layer)

    def merge_adapter(self) -> None:
        """Add what an adapter learned to the weights, and compute the network as one that never had it."""
        if self.adapter is None:
            return
        was_packed = self.is_packed
        self._recomputes = False
        if was_packed:
            self.use_padding()
        self.adapter.merge()
        self.adapter, self.merged = None, self.adapter
        if was_packed:
            self.pack_if_sound()

    def rounded_parameters(self) -> list[nn.Parameter]:
        """Those that are in bfloat16 where the body computes in it.

        Not the small head (its logits decide), not the word embeddings (a batch reads few of their rows), and none of a network
        that autocast computes.
        """
        if self.family is None:
            return []
        in_float32 = {id(parameter) for module in head_modules(self.network) for parameter in module.parameters()}
        in_float32.add(id(self.word_embeddings.weight))
        return [parameter for parameter in self.network.parameters() if id(parameter) not in in_float32]

    def use_precision(self, dtype: torch.dtype) -> None:
        """Compute the body in `dtype` from now on, for prediction: the float32 weights are dropped."""
        self.compute_dtype = dtype
        for parameter in self.rounded_parameters():
            parameter.data = parameter.data.to(dtype)

    @contextmanager
    def computing_in(self, dtype: torch.dtype) -> Iterator[None]:
        """Compute the body in `dtype` inside; afterwards the weights are those that they were, to the last bit."""
        before, exact = self.compute_dtype, [(parameter, parameter.data) for parameter in self.rounded_parameters()]
        self.use_precision(dtype)
        try:
            yield
        finally:
            self.compute_dtype = before
            for parameter, data in exact:
                parameter.data = data

    @property
    def word_embeddings(self) -> nn.Embedding:
        """The table (vocabulary, width) that token ids are looked up in."""
        return cast(nn.Embedding, self.network.get_input_embeddings())

    def embed(self, batch: Batch) -> Tensor:
        """(T, width) float32: the word embeddings of a batch, as the network would look them up."""
        return cast(Tensor, self.word_embeddings(batch.input_ids))

    def logits(self, batch: Batch) -> Tensor:
        """(n, K) float32, in the batch's order; (T, K) where the head answers for each token."""
        if self.family is None:
            return self._whole_network(batch).float()
        if self.by_token:
            states = self.states(batch, "all")
            logits = (
                own_head(self.network, states[None])[0] if self.family.head is own_head else token_logits(self.network, states)
            )
            return logits.float()
        return self._from_head(batch, self.states(batch, self._reads))

    @property
    def weighs_windows(self) -> bool:
        """Whether the network has learned how much each window of a text counts."""
        return window_attention.of(self.network) is not None

    def logits_and_scores(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The logits of windows, and (n,) float32 how much each counts in its text, before softmax; None where all count alike.

        That is told by the state which the head reads, or by the mean over the tokens where the family is not known.
        """
        attention = window_attention.of(self.network)
        if attention is None:
            return self.logits(batch), None
        if self.family is None:
            logits, states = self._whole_network_and_states(batch)
        else:
            states = self.states(batch, self._reads)
            logits = self._from_head(batch, states)
            if self._reads == "all":
                states = means_of_sequences(states, batch)
        return logits, attention(states).float()

    @property
    def window_reads(self) -> Read:
        """Which states tell how much a window counts."""
        reads = "all" if self.family is None else self._reads
        return "mean" if reads == "all" else reads

    @property
    def _reads(self) -> Read:
        """Which states the head of a known family reads."""
        reads = cast(Family, self.family).reads_of(self.network.config)
        return "all" if reads == "each" else reads

    def _from_head(self, batch: Batch, states: Tensor) -> Tensor:
        """(n, K) float32 of the states that the head of a known family reads."""
        logits = cast(Family, self.family).head(self.network, states[:, None]).float()
        return means_of_sequences(logits, batch) if self._reads == "all" else logits

    def states(self, batch: Batch, read: Read) -> Tensor:
        """What the body says last, before any head: (n, width), or (T, width) where `read` is "all"."""
        if self.family is None:
            states = self._whole_network(batch, body_alone=True)
        else:
            states = self._packed_states(batch, read) if self.is_packed else self._padded_states(batch)
        if read == "all":
            return states
        if read == "mean":
            return means_of_sequences(states, batch)
        return states if len(states) == batch.n_sequences else states.index_select(0, self._read_tokens(batch, read))

    def pack_if_sound(self) -> bool:
        """Switch to packed computation if it gives what padded computation gives; say whether it does.

        Raises ModelError for a network whose answers hang on the texts beside a text however it is padded.
        """
        if self.family is None:
            self._settle_padding()
        if self.family is None:
            return False
        batch = probe(self.tokenizer, IN_SEVERAL_BUCKETS, max_positions(self.network.config), self.pad_id)[0].to(self.device)
        was_training = self.network.training
        self.network.eval()
        with torch.no_grad():
            try:
                expected = self._whole_network(batch, "none").float()
            except REFUSALS:  # a decoder without a token that pads
                expected = self.logits(batch)
            try:
                self._use_attention(PACKED_ATTENTION)
                self.is_packed = True
                self._patch_layers()
                agrees = agree(self.logits(batch), expected)
            except REFUSALS:
                agrees = False
            if not agrees:
                self.use_padding()
                if bool(expected.isfinite().all()):  # damaged weights are told where they answer
                    self._leave_family_unless(batch, expected)
        use_fast_dropout(self.network)
        self.network.train(was_training)
        self._recompute()
        return agrees

    def _leave_family_unless(self, batch: Batch, expected: Tensor) -> None:
        """Compute by the network's own forward pass from now on, unless the family's head gives these logits (n, K) for the
        batch, but for what rounding does to large ones: a configuration can ask for another head."""
        try:
            if not differ_plainly(self.logits(batch), expected):
                return
        except REFUSALS:
            pass
        self.family = None
        self._settle_padding()

    def use_padding(self) -> None:
        """Go back to padded rectangles and transformers' own attention."""
        self.is_packed = False
        self._use_attention("sdpa")
        for layer in repeated_parts(self.network):
            restore_layer(layer)
        self._recompute()

    def _patch_layers(self) -> None:
        family, layers = cast(Family, self.family), self._layers()
        for layer in layers:
            is_last = layer is layers[-1]
            if family.layers is not None and (is_last or family.layers.every):
                patch_layer(layer, family.layers.computed, is_last=is_last)

    def _layers(self) -> list[nn.Module]:
        found = None if self.family is None or self.family.layers is None else layers_of(self.network)
        return [] if found is None else list(found[2])

    def _use_attention(self, name: str) -> None:
        if self.family is not None and self.family.body is None:
            register()
            self.network.set_attn_implementation(name)

    def _packed_states(self, batch: Batch, read: Read) -> Tensor:
        """From one row of tokens: (T, width), or (n, width) where the last layer computes nothing but one token of each text."""
        family = cast(Family, self.family)
        positions, embeddings = self._positions(batch), self._body_embeddings(batch)
        # What the tokenizer does not give to transformers, the network there does not see.
        types = batch.token_type_ids if self.takes_types else torch.zeros_like(batch.token_type_ids)
        if self.compute_dtype == torch.bfloat16 and (more := batch.layout.n_rows - batch.n_tokens):
            embeddings = F.pad(embeddings, (0, 0, 0, more))
            positions, types = F.pad(positions, (0, more)), F.pad(types, (0, more))
        inputs = {"inputs_embeds": embeddings[None], "position_ids": positions[None]}
        if family.has_token_types:
            inputs["token_type_ids"] = types[None]
        ours = family.layers is not None or family.body is not None
        of_each = self._read_tokens(batch, read) if ours and read in ("first", "last") else None
        with packed(batch.layout, flash_from(self.compute_dtype, with_gradients=torch.is_grad_enabled()), of_each):
            if family.body is not None:
                states = family.body(self.network.base_model, embeddings, types, positions, of_each)
            else:
                states = self.network.base_model(**inputs, **self._no_cache()).last_hidden_state.squeeze(0)
        return states if of_each is not None else states[: batch.n_tokens]

    def _positions(self, batch: Batch) -> Tensor:
        """(T,) the position of each token, as transformers counts it.

        RoBERTa's kind begins behind the padding token's id and leaves that token out, also where a text spells it.
        """
        if not cast(Family, self.family).positions_after_padding:
            return batch.layout.positions
        padding = int(self.network.config.pad_token_id)
        counts = batch.input_ids != padding
        if bool(counts.all()):
            return batch.layout.positions + padding + 1
        running = counts.cumsum(0)
        before = F.pad(running, (1, 0))[batch.layout.first][batch.layout.sequence_of_token]
        return torch.where(counts, running - before, 0) + padding

    def _read_tokens(self, batch: Batch, read: Read) -> Tensor:
        """(n,) the first or the last token of each text, counted through the packed batch.

        A decoder's is the last one that is not the padding token, as transformers reads it: a text may end with the token that
        pads, where the end token does both. In a text of nothing else it is the first one.
        """
        first = batch.layout.first
        if read == "first":
            return first
        padding = self.network.config.pad_token_id
        if padding is None:
            return batch.layout.last
        places = torch.where(batch.input_ids == padding, 0, batch.layout.positions)
        last = torch.zeros_like(first).scatter_reduce_(0, batch.layout.sequence_of_token, places, "amax")
        return first + last

    def _padded_states(self, batch: Batch) -> Tensor:
        """(T, width) the same from a padded rectangle."""
        family = cast(Family, self.family)
        embedded = batch.with_embeddings(self._body_embeddings(batch))
        (inputs,) = rectangles(embedded, "right", self.pad_id, with_types=family.has_token_types and self.takes_types)
        if family.positions_after_padding:
            inputs["position_ids"] = batch.layout.pad(self._positions(batch))
        output = self.network.base_model(**inputs, **self._no_cache())
        return cast(Tensor, output.last_hidden_state[inputs["attention_mask"].bool()])

    def _body_embeddings(self, batch: Batch) -> Tensor:
        embeddings = self.embed(batch) if batch.input_embeddings is None else batch.input_embeddings
        return embeddings.to(self.compute_dtype)

    def _whole_network(self, batch: Batch, padding: Padding | None = None, *, body_alone: bool = False) -> Tensor:
        """The logits by the network's own forward pass, or the states (T, width) of its body alone. padding: other than the
        usual one."""
        if padding is None:
            padding = self.padding if batch.input_embeddings is None else self._padding_of_embeddings
        if padding is None:
            raise ModelError(
                f"{type(self.network).__name__} cannot be computed from embeddings.",
                "Leave out the regularisers that change them, such as fgm.",
            )
        with (
            torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.compute_dtype != torch.float32),
            self._without_cache(),
        ):
            parts = rectangles(batch, padding, self.pad_id, with_types=self.takes_types)
            if body_alone:
                return torch.cat([_of_tokens(self.network.base_model(**inputs).last_hidden_state, inputs) for inputs in parts])
            if self.by_token:
                return torch.cat([_of_tokens(logits_of(self.network(**inputs)), inputs) for inputs in parts])
            return torch.cat([self.network(**inputs).logits for inputs in parts])

    @contextmanager
    def _without_cache(self) -> Iterator[None]:
        """Layers that are computed again would add to a decoder's cache of keys and values a second time."""
        config = self.network.config
        uses_cache = self._recomputes and getattr(config, "use_cache", False)
        if uses_cache:
            config.use_cache = False
        try:
            yield
        finally:
            if uses_cache:
                config.use_cache = True

    def _whole_network_and_states(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The logits by the network's own forward pass, and the means (n, width) of its body's states on the way."""
        seen: list[Tensor] = []
        hook = self.network.base_model.register_forward_hook(lambda *call: seen.append(call[2].last_hidden_state))
        try:
            logits = self._whole_network(batch).float()
        finally:
            hook.remove()
        padding = self.padding if batch.input_embeddings is None else self._padding_of_embeddings
        parts = rectangles(batch, padding or "none", self.pad_id, with_types=self.takes_types)
        try:
            states = torch.cat([_of_tokens(state, inputs) for state, inputs in zip(seen, parts, strict=True)])
        except REFUSALS:
            raise ModelError(
                f"{type(self.network).__name__} has no state for each token, so how much windows count cannot be learned.",
                "Use --set model.window_pooling=mean.",
            ) from None
        return logits, means_of_sequences(states, batch)

    def _settle_padding(self) -> None:
        """Choose a padding with which a text's logits are those that it has alone."""
        other: Padding = "left" if self.padding == "right" else "right"
        ways: list[Padding] = [self.padding, other, "none"]
        name = type(self.network).__name__
        together, singly = probe(self.tokenizer, SHORT, max_positions(self.network.config), self.pad_id)
        together, singly = together.to(self.device), [batch.to(self.device) for batch in singly]
        was_training = self.network.training
        self.network.eval()
        with torch.no_grad():
            try:
                alone = torch.cat([self._whole_network(batch, "none") for batch in singly])
            except REFUSALS as error:
                why = first_line(error)
                raise ModelError(f"{name} cannot classify a text: {why}", "Choose a model of another type.") from None
            by_ids = first_sound(self._whole_network, ways, together, alone)
            by_embeddings = first_sound(self._whole_network, ways, together.with_embeddings(self.embed(together)), alone)
        self.network.train(was_training)
        if by_ids is None:
            raise ModelError(
                f"The answer of {name} for a text depends on the texts beside it, however they are padded.",
                "Choose a model of another type.",
            )
        self.padding, self._padding_of_embeddings = by_ids, by_embeddings
        if by_ids == "none":
            self.notes += (_padding_matters(name),)

    @property
    def pad_id(self) -> int:
        """The token that pads."""
        return int(self.network.config.pad_token_id or 0)

    def _no_cache(self) -> dict[str, bool]:
        return {"use_cache": False} if hasattr(self.network.config, "use_cache") else {}

    def release(self) -> None:
        """Give the weights' memory back; nothing can be computed any more."""
        for parameter in self.network.parameters():
            parameter.data = parameter.data.new_empty(0)
        give_back()

    def save(self, folder: Path, max_length: int, *, adapter_of: AdapterBase | None = None) -> None:
        """Write weights, configuration and tokenizer in Hugging Face's layout, for any `from_pretrained`.

        adapter_of: the model beside which the adapter and the head are enough; they alone are written, in peft's layout.
        """
        if self.is_packed:
            self._use_attention("sdpa")
        try:
            with quiet_transformers():
                if adapter_of is None:
                    save_network(self.network, folder, self.saved_dtype)
                else:
                    save_configuration(self.network, folder)
                    trained = self.head_parameters
                    head = {name: value for name, value in self.network.named_parameters() if name in trained}
                    task_type = TASK_TYPES.get(type(self.network).__name__.rpartition("For")[2])
                    self.merged.save(folder, head, head_names(self.network), adapter_of, task_type)
                    if adapter_of.fingerprint is not None:
                        write_json(folder / BASE, {"name": adapter_of.name, "sha256": adapter_of.fingerprint})
        finally:
            if self.is_packed:
                self._use_attention(PACKED_ATTENTION)
        tokens = {name: value for name, value in self._wrapper.special_tokens_map.items() if isinstance(value, str)}
        names = {
            "model_max_length": max_length,
            "model_input_names": list(self._wrapper.model_input_names),
            "padding_side": self._wrapper.padding_side if self.padding == "none" else self.padding,
            **tokens,
        }
        save_tokenizer(sharing(self.tokenizer), names, folder)


def _padding_matters(name: str) -> str:
    return f"{name} answers otherwise where texts are padded: only texts of one length are computed together."


def means_of_sequences(states: Tensor, batch: Batch) -> Tensor:
    """(n, width) the means of states (T, width) over the tokens of each sequence."""
    totals = states.new_zeros(batch.n_sequences, states.shape[1]).index_add_(0, batch.layout.sequence_of_token, states)
    return totals / batch.layout.lengths.to(states)[:, None]


def _of_tokens(rectangle: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """(tokens, width) of (n, length, width), without the padding."""
    return rectangle[inputs["attention_mask"].bool()]


def _cast_to_own_dtype(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """A head stays in float32 on top of a bfloat16 body, so what comes in is widened."""
    dtype = next(module.parameters()).dtype
    return tuple(x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs)
