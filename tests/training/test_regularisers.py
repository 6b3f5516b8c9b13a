"""Each regulariser is its formula, and they compose over one unchanged loop."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from superfine.backbones.batch import collate
from superfine.errors import ConfigError
from superfine.records import Examples
from superfine.training.objective import Outcome, compose, plain_step, supervised
from superfine.training.regularisers import REGULARISERS
from superfine.training.regularisers.fgm import adversarial_shift
from superfine.training.regularisers.r_drop import symmetric_divergence
from tests.conftest import load_for_classification, make_rows, model_of

TARGETS = np.array([i % 2 for i in range(12)])


@pytest.fixture
def model(tiny_model):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = load_for_classification(str(tiny_model("bert")), ["a", "b"], dropout=0.3)
    backbone.pack_if_sound()
    return model_of(backbone, ["a", "b"])


@pytest.fixture
def batch(model):
    texts = [text for text, _ in make_rows(12)]
    return collate(model.encoder.encode(Examples.of_texts(texts)), np.arange(12), TARGETS)


def gradients(model):
    found = {n: p.grad.clone() for n, p in model.backbone.network.named_parameters() if p.grad is not None}
    model.backbone.network.zero_grad()
    return found


def backward(loss):
    loss.backward()


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.5])
def test_label_smoothing_is_cross_entropy_with_smoothed_targets(model, batch, amount):
    model.backbone.network.eval()
    objective, _ = compose({"label_smoothing": {"amount": amount}})
    outcome = objective(model, batch)
    expected = F.cross_entropy(outcome.logits, batch.targets, label_smoothing=amount)
    torch.testing.assert_close(outcome.loss, expected)


def test_r_drop_is_the_mean_loss_of_two_passes_plus_their_symmetric_divergence(model, batch):
    first, second = torch.randn(12, 2), torch.randn(12, 2)
    passes = iter([Outcome(torch.full((12,), 1.0), first), Outcome(torch.full((12,), 3.0), second)])
    wrapped = REGULARISERS.load("r_drop")(REGULARISERS.load("r_drop").Options(weight=0.7)).wrap(lambda m, b: next(passes))
    log_p, log_q = first.log_softmax(-1), second.log_softmax(-1)
    divergence = F.kl_div(log_q, log_p, log_target=True, reduction="batchmean") + F.kl_div(
        log_p, log_q, log_target=True, reduction="batchmean"
    )
    torch.testing.assert_close(wrapped(model, batch).loss, 2.0 + 0.7 * divergence / 2)


def test_r_drop_without_dropout_is_the_plain_loss(model, batch):
    model.backbone.network.eval()
    objective, _ = compose({"r_drop": {"weight": 5.0}})
    torch.testing.assert_close(objective(model, batch).loss, supervised(model, batch).loss)


def test_r_drop_with_dropout_sees_two_different_passes(model, batch):
    model.backbone.network.train()
    assert (symmetric_divergence(model.logits(batch), model.logits(batch), "softmax") > 0).all()


def test_fgm_shifts_each_text_by_epsilon_along_its_gradient(batch):
    gradient = torch.randn(batch.n_tokens, 8)
    gradient[batch.layout.sequence_of_token == 0] = 0
    shift = adversarial_shift(gradient, batch.layout, 0.25)
    for text in range(batch.n_sequences):
        mine = batch.layout.sequence_of_token == text
        expected = 0.0 if text == 0 else 0.25
        assert float(shift[mine].norm()) == pytest.approx(expected, abs=1e-6)
        if text:
            cosine = F.cosine_similarity(shift[mine].flatten(), gradient[mine].flatten(), dim=0)
            assert float(cosine) == pytest.approx(1, abs=1e-5)


def test_fgm_works_where_the_table_is_frozen(model, batch):
    model.backbone.word_embeddings.weight.requires_grad_(False)
    objective, step = compose({"fgm": {"epsilon": 0.5}})
    try:
        step(model, batch, objective, backward)
        assert gradients(model)
    finally:
        model.backbone.word_embeddings.weight.requires_grad_(True)


def test_fgm_adds_the_gradient_at_the_shifted_embeddings(model, batch):
    model.backbone.network.eval()
    objective, step = compose({"fgm": {"epsilon": 0.5}})
    step(model, batch, objective, backward)
    together = gradients(model)

    embeddings = model.embed(batch).detach().requires_grad_()
    supervised(model, batch.with_embeddings(embeddings)).loss.backward()
    shift = adversarial_shift(embeddings.grad, batch.layout, 0.5)
    model.backbone.network.zero_grad()
    plain_step(model, batch, supervised, backward)
    clean = gradients(model)
    supervised(model, batch.with_embeddings(model.embed(batch) + shift)).loss.backward()
    shifted = gradients(model)
    for name, gradient in together.items():
        torch.testing.assert_close(gradient, clean[name] + shifted[name], atol=1e-6, rtol=1e-4, msg=name)
    assert any(not torch.allclose(clean[n], shifted[n], atol=1e-6) for n in clean), "the shift must matter"


def test_fgm_raises_the_loss_it_then_learns_from(model, batch):
    model.backbone.network.eval()
    embeddings = model.embed(batch).detach().requires_grad_()
    loss = supervised(model, batch.with_embeddings(embeddings)).loss
    loss.backward()
    shift = adversarial_shift(embeddings.grad, batch.layout, 0.1)
    with torch.no_grad():
        assert supervised(model, batch.with_embeddings(embeddings + shift)).loss > loss


def test_all_three_compose(model, batch):
    model.backbone.network.train()
    objective, step = compose({"label_smoothing": {}, "r_drop": {}, "fgm": {}})
    outcome = step(model, batch, objective, backward)
    assert torch.isfinite(outcome.loss)
    assert len(gradients(model)) == len(list(model.backbone.network.parameters()))


def test_mistakes_in_names_and_options_say_what_there_is():
    with pytest.raises(ConfigError, match=r'no regulariser "fgmm".*Did you mean "fgm"'):
        compose({"fgmm": {}})
    with pytest.raises(ConfigError, match="epsilon"):
        compose({"fgm": {"epsilon": -1}})


def test_focal_is_its_formula_and_gamma_of_zero_is_the_plain_loss(model, batch):
    model.backbone.network.eval()
    plain = supervised(model, batch)
    p = plain.logits.softmax(-1)[torch.arange(12), batch.targets]
    focused, _ = compose({"focal": {"gamma": 2.0}})
    torch.testing.assert_close(focused(model, batch).losses, (1 - p).square() * -p.log())
    unchanged, _ = compose({"focal": {"gamma": 0.0}})
    torch.testing.assert_close(unchanged(model, batch).loss, plain.loss)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_smoothing_and_r_drop_are_of_the_tasks_own_distributions(activation):
    from superfine.training.regularisers.label_smoothing import uniform_cross_entropy

    a, b = torch.randn(5, 3), torch.randn(5, 3)
    if activation == "softmax":
        expected = torch.stack([F.cross_entropy(row, torch.full((3,), 1 / 3)) for row in a])
        divergence = (F.kl_div(b.log_softmax(-1), a.log_softmax(-1), log_target=True, reduction="none").sum(-1)
                      + F.kl_div(a.log_softmax(-1), b.log_softmax(-1), log_target=True, reduction="none").sum(-1)) / 2  # fmt: skip
    else:
        half = torch.full_like(a, 0.5)
        expected = F.binary_cross_entropy_with_logits(a, half, reduction="none").sum(-1)
        p, q = a.sigmoid(), b.sigmoid()
        one_way = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
        other = q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()
        divergence = ((one_way + other) / 2).sum(-1)
    torch.testing.assert_close(uniform_cross_entropy(a, activation), expected)
    torch.testing.assert_close(symmetric_divergence(a, b, activation), divergence)


def test_regularisers_of_probabilities_are_refused_where_there_are_none():
    from superfine.training.regularisers.focal import focal
    from superfine.training.regularisers.label_smoothing import uniform_cross_entropy

    with pytest.raises(ConfigError, match="has none"):
        uniform_cross_entropy(torch.zeros(1, 1), "none")
    with pytest.raises(ConfigError, match="has none"):
        focal(torch.zeros(1), 2.0, "none")
    torch.testing.assert_close(symmetric_divergence(torch.tensor([[1.0]]), torch.tensor([[3.0]]), "none"), torch.tensor([4.0]))
