"""Names are looked up late, and a wrong one gets a suggestion."""

import pytest

from superfine.errors import ConfigError
from superfine.names import NameTable


def test_an_entry_is_imported_only_when_asked_for():
    table = NameTable("thing", {"good": "collections:OrderedDict", "bad": "no.such.module:X"})
    assert table.load("good").__name__ == "OrderedDict"
    assert list(table) == ["good", "bad"]


def test_a_wrong_name_gets_a_suggestion_and_the_list():
    with pytest.raises(ConfigError, match=r'no thing "goood"\. Did you mean "good"') as error:
        NameTable("thing", {"good": "collections:OrderedDict"}).load("goood")
    assert "There is: good." in str(error.value)
