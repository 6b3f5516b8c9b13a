"""What the checks look at, of parts that were read: before a training, in a rehearsal of one, and for `check`."""

from __future__ import annotations

from typing import Any

import numpy as np

from superfine.data.checks.inspection import Inspection
from superfine.data.encoded import Encoded
from superfine.recipes.prepare import Parts


def inspection_of(
    parts: Parts, encoded: Encoded | None, max_length: int = 0, *, test_is_given: bool = False, has_test: bool = True
) -> Inspection:
    """What the checks look at, of parts that were read. encoded: the training rows."""
    return Inspection(
        train=parts.train,
        validation=parts.validation if len(parts.validation) else None,
        test=parts.scored_test if has_test else None,
        encoded=encoded,
        max_length=max_length,
        model=parts.config.model.name,
        cleans=parts.config.data.cleaning,
        reading=parts.reading,
        has_classes=parts.task.reads_classes,
        test_is_given=test_is_given,
        shares_contexts=parts.task.head.extractive,
        names_places=parts.task.head.by_token,
        bad_rows=parts.bad_rows,
    )


def token_facts(encoded: Encoded) -> dict[str, Any]:
    """Tokens of a text: in the middle, at the 95th percentile, of the longest; and the shares of unknown tokens and texts cut."""
    lengths = encoded.tokens_per_text
    return {
        "median": float(np.median(lengths)),
        "percentile_95": float(np.percentile(lengths, 95)),
        "longest": int(lengths.max(initial=0)),
        "unknown_share": encoded.unknown_share,
        "truncated_share": float(encoded.truncated.mean()),
    }
