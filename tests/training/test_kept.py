"""The weights that wait for the end are the same in memory and in a file."""

import pytest
import torch

from superfine.training import kept as room
from superfine.training.kept import Kept


@pytest.mark.parametrize("large", [1, 1 << 40])
def test_what_is_put_is_what_is_there(large, tmp_path, monkeypatch):
    monkeypatch.setenv("SUPERFINE_CACHE", str(tmp_path))
    values = {"a": torch.randn(3, 5), "b": torch.randn(7), "c": torch.tensor(2.0)}
    kept = Kept({name: value.shape for name, value in values.items()}, large)
    for _ in range(2):
        for name, value in values.items():
            kept.put(name, value)
        assert all(torch.equal(kept[name], value) for name, value in values.items())
        values = {name: value + 1 for name, value in values.items()}
    assert kept.keys() == values.keys()
    assert list(tmp_path.iterdir()) == [], "the file has no name"


def test_without_room_on_the_disk_they_wait_in_memory(monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room.tempfile, "TemporaryFile", full)
    kept = Kept({"a": (2, 2)}, large=1)
    kept.put("a", torch.ones(2, 2))
    assert kept["a"].sum() == 4
