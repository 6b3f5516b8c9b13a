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
    """(n,) what orders the rows of a column that the user says holds times: dates, months, years, or any numbers.

    Raises DataError that names rows which hold none.
    """
    values = [value.strip() for value in examples.columns[column]]
    found = [_ordering(value) for value in values]
    wrong = [int(examples.row[i]) for i, one in enumerate(found) if one is None]
    if wrong:
        value = next(value for value, one in zip(values, found, strict=True) if one is None)
        raise DataError(
            f'{examples.source}: the column "{column}" holds no time in {len(wrong)} rows; row {wrong[0]} has "{value[:40]}".',
            "Times are dates (2024-05-31, 31.05.2024, 2024年5月31日), months, years, other numbers. Correct or drop these rows.",
        )
    return np.array(found, dtype=np.float64)


def _ordering(value: str) -> float | None:
    if (seconds := seconds_of(value)) is not None:
        return seconds
    if (seconds := _parsed(value, MONTHS)) is not None and not value.isdigit():
        return seconds
    try:
        number = float(value)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def periods_of(examples: Examples, column: str) -> list[str]:
    """The period of each row: years, months, days or hours, whichever are enough and not too many; equal parts of other
    numbers."""
    from datetime import UTC

    times = times_of(examples, column)
    values = [value.strip() for value in examples.columns[column]]
    if not all(seconds_of(value) is not None or (_parsed(value, MONTHS) is not None and not value.isdigit()) for value in values):
        return _numbered(times)
    dates = [datetime.fromtimestamp(seconds, UTC) for seconds in times.tolist()]
    best = [f"{date:{PERIODS[0]}}" for date in dates]
    for pattern in PERIODS[1:]:
        finer = [f"{date:{pattern}}" for date in dates]
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


def named_column(examples: Examples, column: str, option: str) -> str:
    """The column of the table, whatever its case. Raises DataError where there is none. option: that names it."""
    from superfine.names import did_you_mean

    folded = {name.casefold(): name for name in examples.columns}
    if (name := folded.get(column.strip().casefold())) is None:
        raise DataError(
            f'{examples.source} has no column "{column}".{did_you_mean(column, list(examples.columns))}',
            f"{option} names one of: {listed(examples.columns)}.",
        )
    return name
