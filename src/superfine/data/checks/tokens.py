"""What the model's tokenizer makes of the texts."""

from __future__ import annotations

import numpy as np

from superfine.data.checks.inspection import Inspection, finding
from superfine.records import Finding

UNKNOWN_LIMIT = 0.10
TRUNCATED_LIMIT = 0.10


def unknown_tokens(inspection: Inspection) -> list[Finding]:
    """More than a tenth of the tokens are unknown to the model: it does not speak the language of the texts."""
    if inspection.encoded is None or inspection.encoded.unknown_share <= UNKNOWN_LIMIT:
        return []
    share = inspection.encoded.unknown_share
    return [
        Finding(
            name="unknown_tokens",
            severity="warning",
            count=round(share * len(inspection.encoded.ids)),
            share=share,
            rows=(),
            message=f"{share:.0%} of the tokens are unknown to {inspection.model}: it does not know the language of these texts.",
            advice="Leave out --model: the language of the texts chooses one that does (offline: pip install "
            "'superfine[multilingual]'). superfine models DATA ranks others, such as hfl/chinese-roberta-wwm-ext for Chinese.",
        )
    ]


def truncation(inspection: Inspection) -> list[Finding]:
    """Texts longer than the model reads. In windows it reads all of them, in prediction at least."""
    if inspection.encoded is None or inspection.encoded.owner is not None:
        return []
    cut = np.flatnonzero(inspection.encoded.truncated).tolist()
    share = len(cut) / max(1, len(inspection.train))
    return finding(
        "truncation",
        "warning" if share > TRUNCATED_LIMIT else "note",
        cut,
        inspection.train,
        f"{len(cut)} training texts ({share:.0%}) are longer than {inspection.max_length} tokens and are cut.",
        "If what tells the answer stands further on: --set model.long_texts=windows, or a larger model.max_length.",
    )
