"""The loop: seeds isolate runs, half precision keeps float32 masters, the best epoch is kept, and a crash loses nothing."""

import copy
import json
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from superfine.backbones import window_attention
from superfine.backbones.batch import collate
from superfine.backbones.load import open_pretrained
from superfine.backbones.process import isolated_seed
from superfine.backbones.structure import layers_of
from superfine.config import TrainingConfig
from superfine.data.preparation import Windows
from superfine.errors import ModelError
from superfine.evaluation.evaluate import with_standard_error
from superfine.model import Model
from superfine.recipes.reporter import Reporter
from superfine.recipes.validate import mean_loss
from superfine.records import Examples
from superfine.tasks.tokens import Tokens
from superfine.training import loop
from superfine.training.checkpoint import find_checkpoint, read_checkpoint, write_checkpoint
from superfine.training.clock import Clock
from superfine.training.loop import EpochRecord, TrainingState, Validation, fit, is_kept, obtain_gradients
from superfine.training.objective import Outcome
from superfine.training.optim import Optimiser, RowAdamW, clip_scale, layer_depths, rate_factor
from superfine.training.recipe import Recipe, TrainingData, choose_recipe, usual_epochs, usual_rate
from superfine.training.speed import measure_speed
from superfine.training.stages import Part, Stage
from tests.conftest import FAMILIES, load_for_classification, make_rows, model_of, train_state
from tests.evaluation.tables import table

ROWS = make_rows(120)
TARGETS = np.array([int(label == "good") for _, label in ROWS])
SETTINGS = {"epochs": 2, "batch_size": 16, "learning_rate": 2e-3, "precision": "float32"}


def new_run(folder, *, seed=0, **settings) -> TrainingState:
    with isolated_seed(seed):
        backbone = load_for_classification(str(folder), ["bad", "good"], attention_dropout=0.0)
    backbone.pack_if_sound()
    model = model_of(backbone)
    texts = [text for text, _ in ROWS]
    settings = TrainingConfig(**{**SETTINGS, **settings})
    return train_state(model, texts[:90], TARGETS[:90], settings, validation=(texts[90:], TARGETS[90:]), seed=seed)


def fitted(folder, *, seed=0, **settings) -> dict[str, torch.Tensor]:
    with isolated_seed(seed):
        run = new_run(folder, seed=seed, **settings)
        fit(run, Clock(), Reporter())
    return {n: p.detach().clone() for n, p in run.model.backbone.network.named_parameters()}


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_weights_whatever_ran_before(tiny_model):
    first = fitted(tiny_model("bert"))
    torch.manual_seed(99)
    torch.rand(1000)
    np.random.seed(5)
    fitted(tiny_model("bert"), seed=3)
    assert equal(first, fitted(tiny_model("bert")))
    assert not equal(first, fitted(tiny_model("bert"), seed=3))


def test_a_run_leaves_the_callers_random_state_alone(tiny_model):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fitted(tiny_model("bert"), epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_training_learns_and_ends_in_float32(tiny_model):
    with isolated_seed(0):
        run = new_run(tiny_model("bert"), epochs=60, learning_rate=4e-3, patience=0, precision="bfloat16")
    dtypes = {p.dtype for p in run.model.backbone.network.parameters()}
    assert dtypes == {torch.float32, torch.bfloat16}
    with isolated_seed(1):
        result = fit(run, Clock(), Reporter())
    assert result.precision == "bfloat16"
    assert {p.dtype for p in run.model.backbone.network.parameters()} == {torch.float32}
    assert max(r.score for r in result.progress.history) > 0.9


def test_the_model_ends_with_the_weights_of_the_epoch_that_was_kept(tiny_model):
    chosen = []

    class Listening(Reporter):
        def on_epoch(self, record, is_kept):
            chosen.append(is_kept)

    # So high a rate that some epochs are far worse than others.
    run = new_run(tiny_model("bert"), epochs=8, patience=0, learning_rate=0.05, warmup_ratio=0.0, precision="float32")
    fit(run, Clock(), Listening())
    history = run.progress.history
    assert chosen == [is_kept(history[: i + 1]) for i in range(8)]
    assert run.progress.kept_epoch == max(i for i, kept in enumerate(chosen) if kept)
    logits = run.model.outputs(run.model.encoder.encode(Examples.of_texts([text for text, _ in ROWS[90:]])))
    accuracy = float((logits.argmax(1) == TARGETS[90:]).mean())
    assert accuracy == pytest.approx(history[run.progress.kept_epoch].score)


def of_accuracies(accuracies, n_rows):
    """Epochs with these accuracies over so many validation rows."""
    found = []
    for epoch, accuracy in enumerate(accuracies):
        right = round(accuracy * n_rows)
        statistics, scores = table(np.zeros(n_rows, int), np.repeat([0, 1], [right, n_rows - right]), 2)
        found.append(EpochRecord(epoch, 0.0, 0.0, *with_standard_error(statistics, scores["accuracy"]), 0.0))
    return found


def test_a_later_epoch_is_kept_unless_it_is_worse_than_the_best_beyond_chance():
    # The standard error of 0.875 over 400 rows is 0.0166.
    assert is_kept(of_accuracies([0.875, 0.8725], 400))
    assert is_kept(of_accuracies([0.875, 0.86], 400))
    assert not is_kept(of_accuracies([0.875, 0.855], 400))
    # Against the best of all, not the one kept last: small losses do not add up unseen.
    assert is_kept(of_accuracies([0.875, 0.865, 0.86], 400))
    assert not is_kept(of_accuracies([0.875, 0.86, 0.85], 400))
    # With more rows less is chance; with few, all right is not certain.
    assert not is_kept(of_accuracies([0.875, 0.8725], 40_000))
    assert is_kept(of_accuracies([1.0, 0.95], 20))
    assert not is_kept(of_accuracies([1.0, 0.9], 20))


def test_scores_of_which_less_is_better_are_compared_so_and_never_with_others():
    def epoch(score, rises):
        return EpochRecord(0, 0.0, 0.0, score, standard_error=0.01, seconds=0.0, rises=rises)

    assert is_kept([epoch(0.9, rises=False), epoch(0.5, rises=False)])
    assert not is_kept([epoch(0.5, rises=False), epoch(0.9, rises=False)])
    assert is_kept([epoch(2.3, rises=False), epoch(0.4, rises=True)]), "the first was told by its loss"


def test_training_stops_early_when_validation_is_worse_and_stays_so(tiny_model):
    run = new_run(tiny_model("bert"), epochs=10, patience=2, learning_rate=1e-9)
    run.validate = lambda _: Validation(loss=1.0, score=0.5, standard_error=0.01)
    result = fit(run, Clock(), Reporter())
    # Validation never changes: as good and later is kept, so nothing stops before the end ...
    assert result.progress.epoch == 10
    run = new_run(tiny_model("bert"), epochs=10, patience=2, learning_rate=1e-9)
    run.validate = lambda _: Validation(loss=1.0, score=0.5, standard_error=0.01)
    run.progress.history.append(EpochRecord(0, 1.0, 1.0, score=1.0, standard_error=0.01, seconds=0.0))
    run.progress.kept_epoch, run.progress.epoch, run.kept = 0, 1, run.weights.snapshot()
    # ... but two epochs far below the best do.
    assert fit(run, Clock(), Reporter()).progress.epoch == 3


def test_ctrl_c_and_the_deadline_end_training_with_usable_weights(tiny_model):
    for clock, reason in ((Clock(interrupted=True), "interrupted"), (Clock(deadline=time.monotonic() - 1), "time_limit")):
        run = new_run(tiny_model("bert"))
        result = fit(run, clock, Reporter())
        assert result.stopped == reason
        assert run.progress.step == 0
        assert len(run.progress.history) == 1, "even an untrained model has been scored"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_equals_an_uninterrupted_one(tiny_model, tmp_path, precision):
    class StopAfter(Reporter):
        def __init__(self, clock, steps):
            self.clock, self.steps = clock, steps

        def on_step(self, step, *rest):
            self.clock.interrupted = step >= self.steps

    expected = fitted(tiny_model("bert"), precision=precision)
    with isolated_seed(0):
        run, clock = new_run(tiny_model("bert"), precision=precision), Clock()
        reached = []

        def keep(run):
            if run.progress.step == 8 and not reached:
                reached.append(run.progress.step)
                write_checkpoint(run, tmp_path / "checkpoint")

        fit(run, clock, StopAfter(clock, 9), keep)
    with isolated_seed(12345):
        resumed = new_run(tiny_model("bert"), precision=precision)
        read_checkpoint(resumed, tmp_path / "checkpoint")
        assert resumed.progress.step == 8
        fit(resumed, Clock(), Reporter())
    assert equal(expected, dict(resumed.model.backbone.network.named_parameters()))


def damaged(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["weights.safetensors", "optimiser.safetensors", "random.safetensors"])
def test_a_flipped_bit_in_a_checkpoint_is_noticed(tiny_model, tmp_path, name):
    write_checkpoint(new_run(tiny_model("bert")), tmp_path / "checkpoint")
    assert find_checkpoint(tmp_path / "checkpoint") == tmp_path / "checkpoint"
    damaged(tmp_path / "checkpoint", name)
    with pytest.raises(ModelError, match="is damaged"):
        find_checkpoint(tmp_path / "checkpoint")


def test_the_furthest_whole_checkpoint_is_read_whichever_name_it_has(tiny_model, tmp_path):
    state = new_run(tiny_model("bert"))
    folder = tmp_path / "checkpoint"
    for step, name in ((3, ".old"), (5, ""), (8, ".new")):
        state.progress.step = step
        write_checkpoint(state, tmp_path / f"{step}")
        (tmp_path / f"{step}").rename(folder.with_name(folder.name + name))
    assert find_checkpoint(folder).name == "checkpoint.new"
    damaged(tmp_path / "checkpoint.new", "weights.safetensors")
    assert find_checkpoint(folder).name == "checkpoint"
    (folder / "optimiser.safetensors").unlink()
    assert find_checkpoint(folder).name == "checkpoint.old"
    write_checkpoint(state, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"], "a new one clears the others away"


def test_a_checkpoint_holds_no_pickle(tiny_model, tmp_path):
    write_checkpoint(new_run(tiny_model("bert")), tmp_path / "checkpoint")
    assert {path.suffix for path in (tmp_path / "checkpoint").iterdir()} == {".safetensors", ".json"}


def test_measuring_the_speed_changes_neither_weights_nor_random_state(tiny_model):
    run = new_run(tiny_model("bert"))
    before, state = run.weights.snapshot(), torch.get_rng_state()
    speed = measure_speed(run)
    assert speed.trained_tokens_per_second > 0
    assert speed.scored_tokens_per_second > 0
    assert equal(before, run.weights.snapshot())
    assert torch.equal(state, torch.get_rng_state())
    assert all(m.grad is None for m in run.weights.masters)


def test_the_rate_rises_then_falls_to_zero():
    assert [round(rate_factor(p, 0.1), 3) for p in (0.0, 0.05, 0.1, 0.55, 1.0)] == [0.0, 0.5, 1.0, 0.5, 0.0]


def test_layers_below_get_smaller_rates_with_layer_decay(tiny_model):
    run = new_run(tiny_model("bert"), layer_decay=0.5)
    depths = dict(zip(run.weights.names, layer_depths(run.weights.names, {"classifier.weight", "classifier.bias"}), strict=True))
    assert depths["classifier.weight"] == 0
    assert depths["bert.encoder.layer.1.output.dense.weight"] == 1
    assert depths["bert.encoder.layer.0.output.dense.weight"] == 2
    assert depths["bert.embeddings.position_embeddings.weight"] == 3
    peaks = {group["peak_rate"] for group in run.optimiser.dense.param_groups}
    assert peaks == {2e-2, 1e-3, 5e-4, 2.5e-4}


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "albert"])  # whose layers are one
def test_layer_decay_knows_the_layers_of_every_family_and_the_embeddings_below_them(tiny_model, family):
    backbone = load_for_classification(str(tiny_model(family)), ["bad", "good"])
    names = [name for name, _ in backbone.network.named_parameters()]
    depths = dict(zip(names, layer_depths(names, backbone.head_parameters), strict=True))
    _, _, layers = layers_of(backbone.network)
    of = {id(parameter): name for name, parameter in backbone.network.named_parameters()}
    for i, layer in enumerate(layers):
        assert {depths[of[id(parameter)]] for parameter in layer.parameters()} == {len(layers) - i}
    assert depths[of[id(backbone.word_embeddings.weight)]] == len(layers) + 1


def test_biases_and_norms_are_not_decayed(tiny_model):
    run = new_run(tiny_model("bert"))
    decayed = {id(p) for g in run.optimiser.dense.param_groups if g["weight_decay"] > 0 for p in g["params"]}
    for name, master in zip(run.weights.names, run.weights.masters, strict=True):
        if name.endswith("bias") or "LayerNorm" in name:
            assert id(master) not in decayed, name
    assert decayed


def test_row_adamw_is_adamw_where_every_row_is_read():
    torch.manual_seed(0)
    table, twin = (torch.nn.Parameter(torch.ones(5, 3)) for _ in range(2))
    rows = RowAdamW(table, 0.1, 0.01)
    dense = torch.optim.AdamW([twin], lr=0.1, weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8)
    for _ in range(5):
        gradient = torch.randn(5, 3)
        rows.step(torch.arange(5), gradient, 1.0)
        twin.grad = gradient
        dense.step()
    torch.testing.assert_close(table, twin)


def test_row_adamw_leaves_unread_rows_alone():
    table = torch.nn.Parameter(torch.ones(5, 3))
    RowAdamW(table, 0.1, 0.01).step(torch.tensor([1]), torch.ones(1, 3), 1.0)
    assert torch.equal(table[[0, 2, 3, 4]], torch.ones(4, 3))
    assert (table[1] < 1).all()


def test_moments_snapshots_and_checkpoints_hold_the_rows_in_use_alone(tiny_model, tmp_path):
    run = new_run(tiny_model("bert"))
    used = torch.unique(torch.from_numpy(run.stage.train.encoded.ids))
    table = run.model.backbone.word_embeddings.weight
    name = next(n for n, p in run.model.backbone.network.named_parameters() if p is table)
    assert 0 < len(used) < len(table)
    assert torch.equal(run.weights.rows, used)
    assert len(run.optimiser.rows.exp_avg) == len(run.optimiser.rows.exp_avg_sq) == len(used)
    assert torch.equal(run.weights.snapshot()[name], table[used])
    write_checkpoint(run, tmp_path / "checkpoint")
    assert len(load_file(tmp_path / "checkpoint" / "weights.safetensors")[name]) == len(used)
    assert len(load_file(tmp_path / "checkpoint" / "optimiser.safetensors")["rows/exp_avg"]) == len(used)


def test_going_back_to_a_snapshot_moves_the_rows_in_use_and_no_other(tiny_model):
    run = new_run(tiny_model("bert"))
    table, before = run.model.backbone.word_embeddings.weight, run.weights.snapshot()
    with torch.no_grad():
        table.add_(1)
    others = torch.ones(len(table), dtype=torch.bool)
    others[run.weights.rows] = False
    shifted = table.detach().clone()
    run.weights.restore(before)
    assert torch.equal(table[others], shifted[others])
    name = next(n for n, p in run.model.backbone.network.named_parameters() if p is table)
    assert torch.equal(table[run.weights.rows], before[name])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_keeping_moments_for_the_rows_in_use_alone_changes_no_weight(tiny_model, monkeypatch, precision):
    alone = fitted(tiny_model("bert"), precision=precision)
    every_row = torch.arange(160)
    monkeypatch.setattr(loop, "rows_in_use", lambda _: every_row)
    assert equal(alone, fitted(tiny_model("bert"), precision=precision))


@pytest.mark.usefixtures("xlnet_unlisted")
def test_a_network_without_a_packed_family_moves_its_whole_table(tiny_model):
    run = new_run(tiny_model("xlnet"))
    assert run.weights.rows is None
    assert len(run.optimiser.rows.exp_avg) == len(run.model.backbone.word_embeddings.weight)


def test_gradients_are_clipped_together_embeddings_included(tiny_model):
    run = new_run(tiny_model("bert"), max_grad_norm=1e-3)
    assert isinstance(run.optimiser, Optimiser)
    table = run.model.backbone.word_embeddings.weight
    for parameter in run.optimiser.dense_parameters:
        parameter.grad = torch.ones_like(parameter)
    table.grad = torch.sparse_coo_tensor(
        torch.tensor([[3, 3]]), torch.ones(2, table.shape[1]), table.shape, check_invariants=True
    )
    _, values = run.optimiser.rows.take_gradient()
    assert torch.equal(values, torch.full_like(values, 2.0)), "a row that occurs twice gets the sum"
    gradients = [p.grad for p in run.optimiser.dense_parameters] + [values]
    scale = clip_scale(gradients, 1e-3)
    assert float(torch.cat([scale * g.flatten() for g in gradients]).norm()) == pytest.approx(1e-3, rel=1e-3)
    assert float(clip_scale(gradients, 1e9)) == 1, "small gradients stay as they are"


def test_a_step_uses_the_clipped_gradients(tiny_model):
    """Dense and row-wise updates beside AdamW on the gradients that torch's own clipping leaves."""
    run = new_run(tiny_model("bert"), max_grad_norm=0.01, precision="float32")
    obtain_gradients(run, collate(run.stage.train.encoded, np.arange(8), run.stage.train.targets))
    network = run.model.backbone.network
    twin = copy.deepcopy(network)
    for parameter, source in zip(twin.parameters(), network.parameters(), strict=True):
        parameter.grad = None if source.grad is None else source.grad.detach().to_dense().clone()
    assert torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.01) > 0.01
    groups = [
        {
            "params": [
                p for n, p in twin.named_parameters() if p.dim() > 1 and "LayerNorm" not in n and not n.startswith("classifier")
            ],
            "lr": 1e-3,
        },
        {
            "params": [
                p for n, p in twin.named_parameters() if (p.dim() == 1 or "LayerNorm" in n) and not n.startswith("classifier")
            ],
            "weight_decay": 0.0,
            "lr": 1e-3,
        },
    ]
    torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01).step()
    run.optimiser.step(1e-3 / run.stage.recipe.learning_rate)
    table = run.model.backbone.word_embeddings.weight
    for (name, ours), theirs in zip(network.named_parameters(), twin.parameters(), strict=True):
        if ours is not table and not name.startswith(("classifier", "bert.pooler")):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7, msg=name)


def test_in_half_precision_the_optimiser_sees_few_long_tensors_and_no_weight_is_lost(tiny_model):
    run = new_run(tiny_model("bert"), precision="bfloat16")
    body = sum(p.numel() for p in run.model.backbone.rounded_parameters())
    spans = [p for p in run.optimiser.dense_parameters if p.dim() == 1 and p.numel() > 100]
    assert len(spans) == 2, "one that is decayed, one that is not"
    assert sum(p.numel() for p in spans) == body
    before = run.weights.snapshot()
    with torch.no_grad():
        for span in spans:
            span.add_(1)
    moved = {name for name, value in run.weights.snapshot().items() if torch.equal(value, before[name] + 1)}
    rounded = {id(p) for p in run.model.backbone.rounded_parameters()}
    assert moved == {name for name, p in run.model.backbone.network.named_parameters() if id(p) in rounded}


def test_batch_size_epochs_and_rate_follow_classes_rows_and_width_where_they_are_left_open():
    rows = (200, 1300, 1800, 1_000_000)
    assert [usual_epochs(TrainingData(n, 2, 20)) for n in rows] == [10, 4, 2, 2]
    assert [usual_epochs(TrainingData(n, 2, 200)) for n in rows] == [9, 2, 2, 2], "long texts teach more"
    assert [usual_epochs(TrainingData(n, 77, 20)) for n in rows] == [10, 4, 3, 2], "many classes need more passes"
    assert usual_epochs(TrainingData(2000, 151, 20)) == 5, "few rows for each of very many classes"
    assert [usual_epochs(TrainingData(n, 4, 20, by_token=True)) for n in rows] == [10, 10, 8, 2], "spans need more passes"
    assert usual_rate(384, 16) == pytest.approx(1e-4)
    assert usual_rate(768, 16) == pytest.approx(2.5e-5)
    assert usual_rate(384, 64) == pytest.approx(2e-4)
    assert usual_rate(32, 16) == 5e-4
    open_settings = TrainingConfig()
    assert choose_recipe(open_settings, TrainingData(4000, 2, 20), 384) == Recipe(32, 2, 1.41e-4)
    assert choose_recipe(open_settings, TrainingData(1000, 2, 20), 384) == Recipe(16, 5, 1e-4)
    assert choose_recipe(open_settings, TrainingData(900, 2, 200), 384) == Recipe(32, 2, 1.41e-4)
    assert choose_recipe(open_settings, TrainingData(4000, 6, 20), 384) == Recipe(16, 3, 1e-4)
    settings = TrainingConfig(batch_size=8, epochs=7, learning_rate=1e-5)
    assert choose_recipe(settings, TrainingData(100, 2, 20), 768) == Recipe(8, 7, 1e-5), "what is set is taken"


def test_a_checkpoint_that_cannot_be_written_says_so(tiny_model, tmp_path):
    from superfine.errors import OutputError
    from superfine.training.checkpoint import Checkpointer

    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        Checkpointer(tmp_path / "file" / "checkpoint").write(new_run(tiny_model("bert")))


def test_training_that_diverges_is_said_and_stops(tiny_model):
    from superfine.errors import ConfigError

    run = new_run(tiny_model("bert"))
    run.weights.masters[0].data.fill_(float("nan"))
    with pytest.raises(ConfigError, match="diverged"):
        fit(run, Clock(), Reporter())


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_memory_that_runs_out_after_an_epoch_ends_training_with_what_was_kept(tiny_model, monkeypatch, error):
    run = new_run(tiny_model("bert"), epochs=3)

    def failing(state, batch, *rest, **more):
        if state.progress.epoch == 1:
            raise error
        return obtain_gradients(state, batch, *rest, **more)

    monkeypatch.setattr("superfine.training.loop.obtain_gradients", failing)
    result = fit(run, Clock(), Reporter())
    assert result.stopped == "out_of_memory"
    assert [record.epoch for record in result.progress.history] == [0]
    assert result.progress.kept_epoch == 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("weighted", [False, True])
def test_parts_of_a_batch_give_the_gradients_of_the_whole(tiny_model, precision, weighted):
    found = []
    for parts in (1, 3):
        run = new_run(tiny_model("bert"), gradient_accumulation=parts, precision=precision)
        if weighted:
            run.stages = [replace(run.stage, train=replace(run.stage.train, weights=np.linspace(0, 2, 90)))]
        run.model.backbone.network.eval()
        loss, _, tokens = loop.batch_gradients(run, np.arange(16))
        gradients = [p.grad.to_dense() if p.grad.is_sparse else p.grad for p in run.weights.masters if p.grad is not None]
        gradients += [gradient.clone() for _, gradient in run.weights._spans]
        found.append((float(loss), tokens, [gradient.clone() for gradient in gradients]))
    assert found[0][1] == found[1][1]
    tolerance = 1e-5 if precision == "float32" else 2e-2
    assert found[0][0] == pytest.approx(found[1][0], rel=tolerance)
    largest = max(float(gradient.abs().max()) for gradient in found[0][2])
    for whole, in_parts in zip(found[0][2], found[1][2], strict=True):
        torch.testing.assert_close(in_parts, whole, atol=tolerance * largest, rtol=0)


def test_parts_of_a_batch_count_by_the_tokens_that_have_a_target(tiny_model):
    """Texts of one word and of many: a part of few targets must not count as one of many."""
    texts = ["kettle", "the lamp is very lovely and my chair", "a", "this is not the kettle that I bought one day"] * 4
    cells = [json.dumps([[0, len(text.split()[0]), "x"]]) for text in texts]
    examples = replace(Examples.of_texts(texts), label=cells)
    found = []
    for parts in (1, 3):
        with isolated_seed(0):
            pretrained, task = open_pretrained(str(tiny_model("bert"))), Tokens.learn(examples)
            backbone = pretrained.backbone(task.head, dropout=0.0, attention_dropout=0.0)
        backbone.pack_if_sound()
        model = Model(backbone, task, pretrained.encoder(32, with_offsets=True))
        encoded = model.encoder.encode(examples)
        part = Part(encoded, task.targets(examples, encoded), np.linspace(0, 2, len(texts)))
        settings = TrainingConfig(**{**SETTINGS, "gradient_accumulation": parts})
        run = TrainingState(model, part, lambda model: Validation(0.0, 0.0, 0.0), settings, 0)
        loss, _, _ = loop.batch_gradients(run, np.arange(16))
        found.append((float(loss), [gradient.clone() for _, gradient in run.weights._spans]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for whole, in_parts in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(in_parts, whole, atol=1e-5 * float(whole.abs().max()) + 1e-8, rtol=0)


@pytest.mark.parametrize("parts", [1, 3])
def test_training_loss_is_of_the_kind_of_validation_loss_whatever_is_minimised(tiny_model, parts):
    """Smoothing and weights change what is minimised; what is told beside validation loss is the task's own loss."""
    run = new_run(tiny_model("bert"), gradient_accumulation=parts, regularisers={"label_smoothing": {"amount": 0.3}})
    run.stages = [replace(run.stage, train=replace(run.stage.train, weights=np.linspace(0.5, 2, 90)))]
    run.model.backbone.network.eval()
    minimised, told, _ = loop.batch_gradients(run, np.arange(16))
    part = run.stage.train
    same = Part(part.encoded.take(np.arange(16)), part.targets[:16])
    as_validated = mean_loss(run.model.task, run.model.pooled_outputs(same.encoded), same)
    assert float(told) == pytest.approx(as_validated, rel=1e-4)
    assert abs(float(minimised) - as_validated) > 1e-3


class Halves:
    """A sampler that reads one half of the rows in each epoch."""

    def __len__(self):
        return 3

    def batches(self, epoch):
        return [np.arange(16) + 42 * (epoch % 2) + 16 * k for k in range(3)]


def with_a_stage_before(folder):
    """A training of two stages: the states of texts are to tell their length, by a head of the first stage alone; then the task."""
    with isolated_seed(0):
        run = new_run(folder, epochs=1)
        head = torch.nn.Linear(run.model.backbone.network.config.hidden_size, 1)
    lengths = run.stage.train.tokens_per_text.astype(np.float32)
    read = []

    def objective(model, batch):
        read.append(batch.indices)
        said = head(model.backbone.states(batch, "mean").float())
        return Outcome((said[:, 0] - batch.targets).square(), said)

    settings = run.settings.model_copy(update={"head_learning_rate_multiplier": 1.0})
    first = Stage(Part(run.stage.train.encoded, lengths), Halves(), objective, Recipe(16, 2, 5e-3), settings, head=head)
    state = TrainingState(run.model, run.stage.train, run.validate, run.settings, 0, before=[first])
    return state, head, read


def test_a_stage_has_its_own_sampler_objective_head_and_optimiser(tiny_model):
    state, head, read = with_a_stage_before(tiny_model("bert"))
    start = {name: p.detach().clone() for name, p in state.model.backbone.network.named_parameters()}
    began, optimisers, listener = head.weight.detach().clone(), [], Reporter()
    listener.on_step = lambda step, n_steps, *rest: optimisers.append((state.progress.stage, state.optimiser, n_steps))
    fit(state, Clock(), listener)
    assert [sorted(rows.tolist()) for rows in read] == [(np.arange(16) + k).tolist() for k in (0, 16, 32, 42, 58, 74)]
    assert [stage for stage, _, _ in optimisers] == [0] * 6 + [1] * 6
    assert len({id(optimiser) for _, optimiser, _ in optimisers}) == 2
    assert {n_steps for _, _, n_steps in optimisers} == {12}
    assert not torch.equal(head.weight, began)
    body = state.model.backbone.network.base_model.encoder.layer[0].output.dense.weight
    assert not torch.equal(body, start["bert.encoder.layer.0.output.dense.weight"])
    assert len(state.progress.history) == 1, "the last stage alone is validated"
    assert state.kept.keys() == start.keys(), "the head of the first stage is not kept"


def test_the_rate_of_each_stage_rises_and_falls_within_it(tiny_model):
    state, _, _ = with_a_stage_before(tiny_model("bert"))
    rates = []
    listener = Reporter()
    listener.on_step = lambda *_: rates.append(
        max(group["lr"] / group["peak_rate"] for group in state.optimiser.dense.param_groups)
    )
    fit(state, Clock(), listener)
    expected = [rate_factor((i + 0.5) / 6, 0.1) for i in range(6)]
    assert rates == pytest.approx(expected * 2)


@pytest.mark.slow
def test_a_run_of_two_stages_is_resumed_in_either_of_them_bit_for_bit(tiny_model, tmp_path):
    def weights(state, head):
        own = {f"its {name}": value.detach().clone() for name, value in head.named_parameters()}
        return own | {name: p.detach().clone() for name, p in state.model.backbone.network.named_parameters()}

    with isolated_seed(1):
        state, head, _ = with_a_stage_before(tiny_model("bert"))
        fit(state, Clock(), Reporter())
    expected = weights(state, head)
    for stop in (4, 6, 9):

        class Stopping(Clock):
            def stop_reason(self):
                return "interrupted" if broken.progress.step >= stop else None  # noqa: B023

        with isolated_seed(1):
            broken, _, _ = with_a_stage_before(tiny_model("bert"))

            def note(state, stop=stop):
                if state.progress.step == stop and not (tmp_path / str(stop)).exists():
                    write_checkpoint(state, tmp_path / str(stop))

            fit(broken, Stopping(), Reporter(), note)
        with isolated_seed(7):
            resumed, other_head, _ = with_a_stage_before(tiny_model("bert"))
            read_checkpoint(resumed, tmp_path / str(stop))
            fit(resumed, Clock(), Reporter())
        found = weights(resumed, other_head)
        of_network = [name for name in expected if stop <= 6 or not name.startswith("its ")]  # done with, it is not kept
        assert all(torch.equal(expected[name], found[name]) for name in of_network), stop


def in_windows(tiny_model, texts, targets, *, family="bert", pooling="mean", **settings):
    """A training whose texts are read in windows of few tokens."""
    with isolated_seed(0):
        model = model_of(load_for_classification(str(tiny_model(family)), ["bad", "good"], dropout=0.0), max_length=8)
    model.encoder = open_pretrained(str(tiny_model(family))).encoder(8, windows=Windows(stride=1))
    if pooling == "attention":
        window_attention.add_to(model.backbone.network)
    part = Part(model.encoder.encode(Examples.of_texts(texts)), targets)
    chosen = TrainingConfig(precision="float32", learning_rate=1e-3, regularisers={}, **settings)
    return TrainingState(model, part, lambda model: Validation(0.0, 0.0, 0.0), chosen, 0)


def test_a_text_in_windows_is_answered_as_the_mean_over_them_in_training_as_in_prediction(tiny_model):
    texts = [text for text, _ in ROWS[:12]] + ["lovely kettle " * 20]
    run = in_windows(tiny_model, texts, np.zeros(13, dtype=np.int64))
    model, encoded = run.model, run.stage.train.encoded
    model.backbone.network.eval()
    order = np.array([12, 3, 0, 7])
    with torch.no_grad():
        batch = collate(encoded, order)
        logits = model.logits(batch).numpy()
    assert batch.indices.tolist() == order.tolist()
    assert len(batch.owner) > 4
    np.testing.assert_allclose(logits, model.pooled_outputs(encoded)[order], atol=1e-5)
    each = model.outputs(encoded)
    assert len(each) == len(encoded.owner)
    first = encoded.first_sequences
    np.testing.assert_allclose(logits[0], each[first[12] :].mean(axis=0), atol=1e-5)


@pytest.mark.usefixtures("xlnet_unlisted")
@pytest.mark.parametrize("family", ["bert", "xlnet"])
def test_windows_count_alike_until_attention_to_them_has_learned_and_then_as_much_in_training_as_in_prediction(
    tiny_model, family
):
    texts = [text for text, _ in ROWS[:12]] + [" ".join(text for text, _ in ROWS[12:20])]
    run = in_windows(tiny_model, texts, np.zeros(13, dtype=np.int64), family=family, pooling="attention")
    model, encoded = run.model, run.stage.train.encoded
    network, order = model.backbone.network.eval(), np.array([12, 3, 0, 7])
    each, first = model.outputs(encoded), encoded.first_sequences
    np.testing.assert_allclose(model.pooled_outputs(encoded)[12], each[first[12] :].mean(axis=0), atol=1e-5)
    assert "window_attention.weight" in model.backbone.head_parameters
    with torch.no_grad():
        network.window_attention.weight.normal_(0, 20, generator=torch.Generator().manual_seed(0))
        logits = model.logits(collate(encoded, order)).numpy()
        states = model.backbone.states(
            collate(encoded.as_sequences(), np.arange(len(each))), "first" if family == "bert" else "mean"
        )
        scores = (states @ network.window_attention.weight).numpy()[np.argsort(np.argsort(encoded.lengths, kind="stable"))]
    pooled = model.pooled_outputs(encoded)
    np.testing.assert_allclose(logits, pooled[order], atol=1e-5)
    raised = np.exp(scores[first[12] :] - scores[first[12] :].max())
    shares = raised / raised.sum()
    assert np.ptp(shares) > 0.1
    np.testing.assert_allclose(pooled[12], shares @ each[first[12] :], atol=1e-5)
    assert np.abs(pooled[12] - each[first[12] :].mean(axis=0)).max() > 3e-5
    loop.batch_gradients(run, np.arange(13))
    assert float(network.window_attention.weight.grad.abs().max()) > 0


def test_texts_in_windows_are_learned_from_in_parts_of_bounded_size_with_the_gradients_of_the_whole(tiny_model, monkeypatch):
    texts = [text for text, _ in ROWS[:15]] + ["lovely kettle " * 20]
    found, sizes = [], []
    for most in (1, 1000):
        run = in_windows(tiny_model, texts, TARGETS[:16], batch_size=16)
        monkeypatch.setattr(run.model.encoder, "max_length", 8 * most)
        parts = loop.micro_batches(run, np.arange(16))
        assert np.concatenate(parts).tolist() == list(range(16))
        sizes.append([int(run.stage.train.tokens_per_text[part].sum()) for part in parts])
        loss, _, tokens = loop.batch_gradients(run, np.arange(16))
        assert tokens == len(run.stage.train.encoded.ids)
        found.append((float(loss), [gradient.clone() for _, gradient in run.weights._spans]))
    longest = int(run.stage.train.tokens_per_text.max())
    assert len(sizes[0]) > 1
    assert max(sizes[0]) <= max(longest, 16 * 8)
    assert len(sizes[1]) == 1
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for in_parts, whole in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(in_parts, whole, atol=1e-5 * float(whole.abs().max()) + 1e-8, rtol=0)


def test_memory_that_runs_out_halves_the_parts_and_says_so(tiny_model, monkeypatch):
    run, said = new_run(tiny_model("bert"), epochs=1), []

    class Hearing(Reporter):
        def note(self, message):
            said.append(message)

    def scarce(state, batch, *rest, **more):
        if batch.n_sequences > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return obtain_gradients(state, batch, *rest, **more)

    monkeypatch.setattr("superfine.training.loop.obtain_gradients", scarce)
    result = fit(run, Clock(), Hearing())
    assert result.stopped is None
    assert result.progress.gradient_accumulation == 4
    assert said == [f"Memory ran out: a batch is computed in {n} parts from now on, with the same result." for n in (2, 4)]


def test_rows_without_weight_teach_nothing(tiny_model):
    weights = []
    for labels in (TARGETS[:90], np.where(np.arange(90) < 45, TARGETS[:90], 1 - TARGETS[:90])):
        with isolated_seed(0):
            run = new_run(tiny_model("bert"), epochs=1)
            part = replace(run.stage.train, targets=labels, weights=(np.arange(90) < 45).astype(float))
            run.stages = [replace(run.stage, train=part)]
            fit(run, Clock(), Reporter())
        weights.append({name: p.detach().clone() for name, p in run.model.backbone.network.named_parameters()})
    assert equal(*weights), "the labels of the other half are turned"


def test_other_errors_and_memory_that_runs_out_before_anything_is_kept_are_raised(tiny_model, monkeypatch):
    for error in (RuntimeError("something else"), torch.OutOfMemoryError("CUDA out of memory")):
        run = new_run(tiny_model("bert"))

        def failing(*_, error=error, **__):
            raise error

        monkeypatch.setattr("superfine.training.loop.obtain_gradients", failing)
        with pytest.raises(RuntimeError, match=str(error)):
            fit(run, Clock(), Reporter())
