"""Wrong labels are found by the other rows: the first suspects are wrong ones, and what is suggested is right."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from superfine.data.label_noise import confident_joint, find_noise, neighbours_of


@pytest.fixture(scope="module")
def data():
    """600 points about three centres, whose first class is called the second in a third of the rows."""
    rng = np.random.default_rng(0)
    true = np.arange(600) % 3
    vectors = rng.normal(size=(3, 16))[true] * 1.5 + rng.normal(size=(600, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    label = np.where((true == 0) & (rng.random(600) < 0.3), 1, true)
    words = csr_matrix(np.eye(3)[true] + (rng.random((600, 3)) < 0.2))
    return vectors, words, label, true


def test_the_first_suspects_are_wrong_and_the_suggestions_right(data):
    vectors, words, label, true = data
    noise = find_noise(vectors, words, label)
    n_wrong = int((label != true).sum())
    first = noise.rows[: n_wrong // 2]
    assert (label[first] != true[first]).mean() > 0.9
    assert (noise.suggested[: n_wrong // 2] == true[first]).mean() > 0.9
    assert noise.n_likely >= n_wrong // 2
    assert (noise.suggested != label[noise.rows]).all()


def test_a_row_is_not_judged_by_its_own_label(data):
    vectors, words, label, _ = data
    nearest, near = neighbours_of(vectors)
    assert (nearest != np.arange(len(label))[:, None]).all()
    assert (np.diff(near, axis=1) <= 1e-12).all()
    changed = label.copy()
    changed[0] = 2 if label[0] != 2 else 1
    before, after = find_noise(vectors, words, label), find_noise(vectors, words, changed)
    assert 0 in after.rows[:50]
    assert 0 not in before.rows[:50]


def test_what_others_saw_replaces_the_regression(data):
    vectors, words, label, true = data
    seen = np.eye(3)[true] * 0.98 + 0.01
    first = find_noise(vectors, words, label, seen).rows[: int((label != true).sum())]
    assert (label[first] != true[first]).mean() > 0.95


def test_the_joint_counts_given_labels_by_true_classes():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.95, 0.05]])
    joint = confident_joint(probabilities, np.array([0, 0, 1, 1, 1]))
    assert joint.sum() == pytest.approx(1)
    assert joint[1, 0] > joint[0, 1]
    assert joint.sum(axis=1).tolist() == pytest.approx([0.4, 0.6])
