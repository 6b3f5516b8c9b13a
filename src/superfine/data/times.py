"""Columns of times: read, put in order, cut into periods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from superfine.data.table import listed
from superfine.errors import DataError
from superfine.records import Examples, FloatArray

DAY = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
SPELLINGS = ("%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y年%m月%d日", "%m/%d/%Y", "%d.%m.%Y", "%Y%m%d")
MONTHS = ("%Y-%m", "%Y/%m", "%Y年%m月")
PERIODS = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d %H:00")
"""How a time is written that stands for a year, a month, a day, an hour."""
MOST_PERIODS, NUMBERED_PERIODS = 24, 5
LOOKED_AT = 100
YEARS = (1000, 2999)
"""Whole numbers that are years where they stand beside dates."""
FIRST_SECOND, LAST_SECOND = 3e8, 4e10
"""Numbers between are seconds since 1970: from 1979 on, so that other counts are none."""


def seconds_of(value: str) -> float | None:
    """The seconds of what is surely a time, or None."""
    value = value.strip()
    if not 8 <= len(value) <= 35 or not value[:1].isdigit() or (value.isdigit() and not DAY.fullmatch(value)):
        return None
    return _parsed(value, SPELLINGS)


def _parsed(value: str, spellings: Sequence[str]) -> float | None:
    try:
        return _seconds(datetime.fromisoformat(value))
    except ValueError:
        pass
    for spelling in spellings:
        try:
            return _seconds(datetime.strptime(value, spelling))
        except ValueError:
            continue
    return None


def _seconds(time: datetime) -> float:
    """Since 1970 in universal time, where no zone is given as if it were that."""
    from datetime import UTC

    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def times_of(examples: Examples, column: str) -> FloatArray:
    """(n,) what orders the rows of a column that the user says holds times: seconds of dates, months and years, or any numbers.

    Raises DataError that names rows which hold none, and where dates stand beside numbers that are no years.
    """
    values = [value.strip() for value in examples.columns[column]]
    dates = np.array([_date(value) for value in values], dtype=np.float64)
    numbers = np.array([_number(value) for value in values], dtype=np.float64)
    if (~np.isnan(dates)).any():
        is_year = (numbers >= YEARS[0]) & (numbers <= YEARS[1]) & (numbers == np.floor(numbers)) & np.isnan(dates)
        dates[is_year] = [_seconds(datetime(int(year), 1, 1)) for year in numbers[is_year]]
    found = dates if (~np.isnan(dates)).any() else numbers
    wrong = np.flatnonzero(np.isnan(found))
    if len(wrong):
        first = int(wrong[0])
        raise DataError(
            f'{examples.source}: the column "{column}" holds no time in {len(wrong)} rows; row {int(examples.row[first])} has '
            f'"{values[first][:40]}".',
            "Times are dates (2024-05-31, 31.05.2024, 2024年5月31日), months, years, other numbers. Correct or drop these rows.",
        )
    return found


def begins_with_times(values: Sequence[str]) -> bool:
    """Whether the first values are dates, months or numbers."""
    return all(not np.isnan(_date(value.strip())) or not np.isnan(_number(value.strip())) for value in values[:LOOKED_AT])


def _date(value: str) -> float:
    """Seconds of a date or a month, or nan."""
    seconds = seconds_of(value)
    if seconds is None and not value.isdigit():
        seconds = _parsed(value, MONTHS)
    return np.nan if seconds is None else seconds


def _number(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        return np.nan
    return number if np.isfinite(number) else np.nan


def periods_of(examples: Examples, column: str) -> list[str]:
    """The period of each row: years, months, days or hours, whichever are enough and not too many; equal parts of numbers that
    are no seconds since 1970."""
    from datetime import UTC

    times = times_of(examples, column)
    are_dates = any(not np.isnan(_date(value.strip())) for value in examples.columns[column])
    seconds = times if are_dates else times / (1000 if (times > LAST_SECOND).all() else 1)
    if not are_dates and not ((seconds >= FIRST_SECOND) & (seconds <= LAST_SECOND)).all():
        return _numbered(times)
    try:
        moments = [datetime.fromtimestamp(second, UTC) for second in seconds.tolist()]
    except (ValueError, OverflowError, OSError):  # before the first or after the last year that there is
        return _numbered(times)
    best = [f"{moment:{PERIODS[0]}}" for moment in moments]
    for pattern in PERIODS[1:]:
        finer = [f"{moment:{pattern}}" for moment in moments]
        if len(set(finer)) > MOST_PERIODS or len(set(best)) >= NUMBERED_PERIODS:
            break
        best = finer
    return best


def _numbered(times: FloatArray) -> list[str]:
    """Whole numbers that are few as they are; else as many rows in each of some parts."""
    different = np.unique(times)
    if len(different) <= MOST_PERIODS:
        return [f"{time:g}" for time in times.tolist()]
    edges = np.unique(np.quantile(times, np.linspace(0, 1, NUMBERED_PERIODS + 1)))
    place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, len(edges) - 2)
    return [f"{edges[k]:g} – {edges[k + 1]:g}" for k in place.tolist()]


def same_name(examples: Examples, column: str) -> str | None:
    """The column of the table that is called so, whatever its case, or None."""
    return {name.casefold(): name for name in examples.columns}.get(column.strip().casefold())


def named_column(examples: Examples, column: str, option: str) -> str:
    """The column of the table, whatever its case. Raises DataError where there is none. option: that names it."""
    from superfine.names import did_you_mean

    if (name := same_name(examples, column)) is None:
        raise DataError(
            f'{examples.source} has no column "{column}".{did_you_mean(column, list(examples.columns))}',
            f"{option} names one of: {listed(examples.columns)}.",
        )
    return name
