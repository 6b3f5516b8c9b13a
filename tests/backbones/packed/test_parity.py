"""The fast way is the obvious way: packed computation gives what padded computation gives, for every family."""

import re

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from superfine.backbones.batch import collate
from superfine.backbones.packed import attention, kernels
from superfine.backbones.packed.layout import ROUNDING
from superfine.config import TrainingConfig
from superfine.model import Model
from superfine.records import Examples
from superfine.training.clock import Clock
from superfine.training.loop import _train_step, obtain_gradients
from superfine.training.objective import supervised
from tests.conftest import FAMILIES, load_for_classification, make_rows, model_of, train_state

TEXTS = [text for text, _ in make_rows(24)] + ["a", "lovely lovely", "this " * 30]
TARGETS = np.array([int(label == "good") for _, label in make_rows(24)] + [0, 1, 1])


KERNELS = ["products", "flash"]


def use_kernel(
    monkeypatch, name: str, *, gradients: bool | None = None, dtype: torch.dtype | None = None, length: int = 1
) -> None:
    """Compute attention by that kernel on this processor, of that kind of work alone where it is named, from that length on."""
    works = [(d, g) for d in (torch.float32, torch.bfloat16) for g in (False, True)]
    chosen = [(d, g) for d, g in works if dtype in (None, d) and gradients in (None, g)] if name == "flash" else []
    monkeypatch.setattr(kernels, "FLASH_FROM", {(kernels.instruction_set(), d, g): length for d, g in chosen})


def build(folder, *, packed: bool, dropout: float = 0.0) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        backbone = load_for_classification(str(folder), ["bad", "good"], dropout=dropout, attention_dropout=dropout)
    backbone.network.eval()
    if packed:
        assert backbone.pack_if_sound()
    else:
        backbone.use_padding()
    return model_of(backbone)


def encoded(model: Model):
    return model.encoder.encode(Examples.of_texts(TEXTS))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_logits_equal_padded_logits(tiny_model, family, kernel, monkeypatch):
    use_kernel(monkeypatch, kernel)
    padded, packed = (build(tiny_model(family), packed=p) for p in (False, True))
    assert packed.backbone.is_packed
    expected, logits = padded.outputs(encoded(padded)), packed.outputs(encoded(packed))
    assert np.ptp(expected) > 1e-3, "the texts must differ, or the comparison says nothing"
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_empty_rows_that_round_a_batch_up_change_nothing(tiny_model, family, monkeypatch):
    model = build(tiny_model(family), packed=True)
    model.backbone.use_precision(torch.bfloat16)
    batch = collate(encoded(model), np.arange(len(TEXTS)), TARGETS)
    assert batch.layout.n_rows > batch.n_tokens, "without empty rows the comparison says nothing"
    found = []
    for rounding in (ROUNDING, {}):
        monkeypatch.setattr("superfine.backbones.packed.layout.ROUNDING", rounding)
        model.backbone.network.zero_grad()
        logits = model.logits(batch)
        model.task.loss(logits, batch.targets).mean().backward()
        found.append([logits.detach(), *(p.grad.float() for p in model.backbone.network.parameters() if p.grad is not None)])
    for rounded, exact in zip(*found, strict=True):
        # Another shape may be summed in another order; eight bits of mantissa remain.
        assert float((rounded - exact).norm()) <= 0.02 * float(exact.norm()) + 1e-4


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_gradients_equal_padded_gradients(tiny_model, family, kernel, monkeypatch):
    use_kernel(monkeypatch, kernel)
    gradients = []
    for packed in (False, True):
        model = build(tiny_model(family), packed=packed)
        batch = collate(encoded(model), np.arange(len(TEXTS)), TARGETS)
        supervised(model, batch).loss.backward()
        gradients.append({n: p.grad for n, p in model.backbone.network.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, atol=1e-5, rtol=1e-4, msg=name)


def weights_after_20_steps(folder, *, packed: bool) -> dict[str, torch.Tensor]:
    model = build(folder, packed=packed)
    run = train_state(model, TEXTS, TARGETS, TrainingConfig(epochs=5, batch_size=7, precision="float32", learning_rate=1e-4))
    model.backbone.network.train()
    for step in range(20):
        start = 7 * (step % 3)
        _train_step(run, np.arange(start, start + 7), Clock())
    return run.weights.snapshot()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_after_20_optimiser_steps_are_equal_without_dropout(tiny_model, family, kernel, monkeypatch):
    use_kernel(monkeypatch, kernel)
    expected, weights = (weights_after_20_steps(tiny_model(family), packed=p) for p in (False, True))
    for name in expected:
        # Adam divides a gradient by its own size: where it is nothing but rounding (the bias of the keys, by which attention
        # does not change, above all), both ways move by the full rate in a direction that rounding decides.
        difference = (weights[name] - expected[name]).abs()
        rounding_alone = name.endswith(("key.bias", "k_lin.bias", "k_proj.bias", "c_attn.bias"))
        assert rounding_alone or float(difference.max()) < 1e-5, name


@pytest.mark.parametrize(
    ("kernel", "length"), [("products", 1), ("flash", 1), pytest.param("flash", 64, id="flash among neighbours, products alone")]
)
def test_logits_do_not_depend_on_the_neighbours_in_the_batch(tiny_model, kernel, length, monkeypatch):
    use_kernel(monkeypatch, kernel, length=length)
    model = build(tiny_model("bert"), packed=True)
    everything = model.outputs(encoded(model))
    for i in (0, 24, 26):
        alone = model.outputs(encoded(model).take(np.array([i])))
        np.testing.assert_allclose(alone[0], everything[i], atol=1e-6)


def test_each_kind_of_work_has_its_own_kernel(tiny_model, monkeypatch):
    used = []
    plain = attention.products

    def watched(q, k, v, mask, dropout=0.0):
        used.append("products")
        return plain(q, k, v, mask, dropout)

    def noted(*arguments):
        used.append("flash")
        return kernels.flash(*arguments)

    monkeypatch.setattr(attention, "products", watched)
    monkeypatch.setattr(attention, "flash", noted)

    def kernel_of(model: Model, *, grad: bool, drop: bool = False) -> set[str]:
        used.clear()
        model.backbone.network.train(drop)
        with torch.set_grad_enabled(grad):
            model.logits(collate(encoded(model), np.arange(len(TEXTS))))
        return set(used)

    for grad, dtype in ((True, torch.float32), (False, torch.float32), (True, torch.bfloat16), (False, torch.bfloat16)):
        use_kernel(monkeypatch, "flash", gradients=grad, dtype=dtype)
        model = build(tiny_model("bert"), packed=True)
        model.backbone.use_precision(dtype)
        assert kernel_of(model, grad=grad) == {"flash"}
        assert kernel_of(model, grad=not grad) == {"products"}
    use_kernel(monkeypatch, "flash")
    model = build(tiny_model("bert"), packed=True, dropout=0.1)
    assert kernel_of(model, grad=True, drop=True) == {"products"}, "flash attention drops no weights"


@pytest.mark.usefixtures("xlnet_unlisted")
def test_a_family_without_a_packed_form_runs_padded(tiny_model):
    model = build(tiny_model("xlnet"), packed=False)
    assert not model.backbone.pack_if_sound()
    logits = model.outputs(encoded(model))
    alone = model.outputs(encoded(model).take(np.array([0])))
    np.testing.assert_allclose(alone[0], logits[0], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns(tiny_model, family):
    model = build(tiny_model(family), packed=True)
    run = train_state(model, TEXTS, TARGETS, TrainingConfig(epochs=40, batch_size=27, learning_rate=5e-3))
    model.backbone.network.train()
    losses = [_train_step(run, np.arange(len(TEXTS)), Clock())[0] for _ in range(40)]
    assert losses[-1] < losses[0] - 0.05


def test_the_self_check_refuses_a_packed_form_that_differs(tiny_model, monkeypatch):
    model = build(tiny_model("bert"), packed=False)
    expected = model.outputs(encoded(model))
    monkeypatch.setattr(type(model.backbone), "_packed_states", lambda self, batch, read: self._padded_states(batch) + 1)
    assert not model.backbone.pack_if_sound()
    assert not model.backbone.is_packed
    np.testing.assert_allclose(model.outputs(encoded(model)), expected)


def test_gradients_are_collected_in_float32_under_bfloat16(tiny_model):
    model = build(tiny_model("bert"), packed=True)
    run = train_state(model, TEXTS, TARGETS, TrainingConfig(epochs=1, precision="bfloat16"))
    obtain_gradients(run, collate(run.stage.train.encoded, np.arange(8), TARGETS))
    dtypes = {m.grad.dtype for m in run.weights.masters if m.grad is not None}
    assert dtypes == {torch.float32}


PRODUCTS = {torch.ops.aten.mm.default, torch.ops.aten.addmm.default}
SHORTENED = {
    "bert": "encoder.layer",
    "roberta": "encoder.layer",
    "electra": "encoder.layer",
    "distilbert": "transformer.layer",
    "llama": "layers",
}


@pytest.mark.parametrize("family", SHORTENED)
def test_the_last_layer_feeds_forward_only_what_is_read(tiny_model, family):
    model = build(tiny_model(family), packed=True)
    batch = collate(encoded(model), np.arange(len(TEXTS)))
    wide = max(p.shape[0] for n, p in model.backbone.network.named_parameters() if re.search(r"layers?\.0\.", n) and p.dim() == 2)
    rows = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if function in PRODUCTS and out.shape[-1] == wide:
                rows.append(out.shape[-2])
            return out

    with Watch():
        model.logits(batch)
    layers = model.backbone.network.base_model.get_submodule(SHORTENED[family])
    wide_products = len(rows) // len(layers)
    assert wide_products, "without a product to watch the comparison says nothing"
    assert rows == [batch.n_tokens] * wide_products * (len(layers) - 1) + [batch.n_sequences] * wide_products


@pytest.mark.parametrize("family", SHORTENED)
def test_going_back_to_padding_gives_the_last_layer_back(tiny_model, family):
    model = build(tiny_model(family), packed=True)
    expected = model.outputs(encoded(model))
    model.backbone.use_padding()
    batch = collate(encoded(model), np.arange(len(TEXTS)))
    hidden = model.backbone.network.base_model(input_ids=batch.layout.pad(batch.input_ids)).last_hidden_state
    assert hidden.shape[:2] == (len(TEXTS), int(batch.layout.lengths.max()))
    np.testing.assert_allclose(model.outputs(encoded(model)), expected, atol=1e-5)
