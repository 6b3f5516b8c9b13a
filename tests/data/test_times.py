"""Columns of times are read, put in order and cut into periods."""

import numpy as np
import pytest

from superfine.data.times import named_column, periods_of, seconds_of, times_of
from superfine.errors import DataError
from superfine.records import Examples


def rows(*values):
    examples = Examples.of_texts([f"text {i}" for i in range(len(values))])
    return Examples(examples.row, examples.text, source="t.csv", columns={"When": list(values)})


@pytest.mark.parametrize(
    "values",
    [
        ("2024-01-31", "2024-02-01", "2025-01-01"),
        ("31.01.2024", "01.02.2024", "01.01.2025"),
        ("2024年1月31日", "2024年2月1日", "2025年1月1日"),
        ("2024-01", "2024-02", "2025-01"),
        ("2022", "2023", "2024"),
        ("1700000000", "1700000001.5", "1800000000"),
        ("2024-01-31T10:00:00+02:00", "2024-01-31T09:00:00Z", "2024-01-31T10:00:00-01:00"),
        ("9", "10", "100"),
    ],
)
def test_times_of_many_spellings_rise(values):
    assert (np.diff(times_of(rows(*values), "When")) > 0).all()


def test_what_is_no_time_is_named_with_its_row():
    with pytest.raises(DataError, match=r'"When" holds no time in 2 rows; row 2 has "soon"'):
        times_of(rows("2024-01-01", "soon", ""), "When")


def test_only_what_is_surely_a_time_counts_as_one_unasked():
    assert seconds_of("2024-05-31") == seconds_of(" 2024/05/31 ") == seconds_of("20240531")
    assert seconds_of("12345678") is None
    assert seconds_of("2024") is None


def test_periods_are_as_fine_as_a_table_bears():
    days = [f"2024-01-{day:02}" for day in range(1, 13)]
    assert periods_of(rows(*days), "When") == days
    months = [f"{year}-{month:02}-15" for year in (2022, 2023) for month in range(1, 13)]
    assert set(periods_of(rows(*months), "When")) == {month[:7] for month in months}
    years = [f"{year}-{month:02}-15" for year in range(2010, 2020) for month in range(1, 13)]
    assert set(periods_of(rows(*years), "When")) == {str(year) for year in range(2010, 2020)}
    hours = [f"2024-01-01 {hour:02}:30" for hour in range(8)]
    assert len(set(periods_of(rows(*hours), "When"))) == 8


def test_many_numbers_are_cut_into_parts_of_as_many_rows():
    found = periods_of(rows(*map(str, range(100))), "When")
    counts = [found.count(name) for name in dict.fromkeys(found)]
    assert len(counts) == 5
    assert max(counts) - min(counts) <= 1
    assert periods_of(rows("1", "2", "2"), "When") == ["1", "2", "2"]


def test_a_column_is_found_whatever_its_case_and_a_lacking_one_is_named():
    assert named_column(rows("1"), "when", "--time") == "When"
    with pytest.raises(DataError, match=r'(?s)no column "wenn".*--time names one of: When'):
        named_column(rows("1"), "wenn", "--time")


def test_years_stand_between_dates_and_other_numbers_do_not():
    assert (np.diff(times_of(rows("2023", "2024-05-31", "2025"), "When")) > 0).all()
    with pytest.raises(DataError, match='holds no time in 1 rows; row 2 has "1716900000"'):
        times_of(rows("2024-05-31", "1716900000"), "When")


def test_seconds_and_milliseconds_since_1970_are_dates_and_far_years_are_numbers():
    assert all(period.startswith("2024-") for period in periods_of(rows("1704067200", "1706745600"), "When"))
    assert all(period.startswith("2024") for period in periods_of(rows("1704067200000", "1706745600000"), "When"))
    assert len(periods_of(rows("9999-12-31T23:59:59-14:00", "2024-01-01"), "When")) == 2
