"""Ways to fit the training rows less and the world more. One file each; `wrap` changes the loss, `step` the gradients."""

from superfine.names import NameTable

REGULARISERS = NameTable(
    "regulariser",
    {
        "label_smoothing": "superfine.training.regularisers.label_smoothing:LabelSmoothing",
        "r_drop": "superfine.training.regularisers.r_drop:RDrop",
        "focal": "superfine.training.regularisers.focal:Focal",
        "fgm": "superfine.training.regularisers.fgm:FGM",
    },
)
