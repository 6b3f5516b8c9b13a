"""The formats that can be read: the ending of a name, and the function `(File, ReadOptions) -> Table` behind it."""

from superfine.names import NameTable

FORMATS = NameTable(
    "file format",
    {
        ".csv": "superfine.data.formats.delimited:read_csv",
        ".txt": "superfine.data.formats.delimited:read_csv",
        ".tsv": "superfine.data.formats.delimited:read_tsv",
        ".tab": "superfine.data.formats.delimited:read_tsv",
        ".jsonl": "superfine.data.formats.json:read_json_lines",
        ".ndjson": "superfine.data.formats.json:read_json_lines",
        ".json": "superfine.data.formats.json:read_json",
        ".xlsx": "superfine.data.formats.excel:read_excel",
        ".xls": "superfine.data.formats.excel:read_excel",
        ".ods": "superfine.data.formats.excel:read_excel",
        ".conll": "superfine.data.formats.conll:read_conll",
        ".bio": "superfine.data.formats.conll:read_conll",
        ".iob": "superfine.data.formats.conll:read_conll",
        ".bioes": "superfine.data.formats.conll:read_conll",
        ".parquet": "superfine.data.formats.parquet:read_parquet",
    },
)

PIECES = NameTable(
    "file format read in pieces",
    {
        ".csv": "superfine.data.formats.delimited:csv_pieces",
        ".txt": "superfine.data.formats.delimited:csv_pieces",
        ".tsv": "superfine.data.formats.delimited:tsv_pieces",
        ".tab": "superfine.data.formats.delimited:tsv_pieces",
        ".jsonl": "superfine.data.formats.json:json_line_pieces",
        ".ndjson": "superfine.data.formats.json:json_line_pieces",
    },
)
"""Formats that need not be held in memory: the function `(File, ReadOptions, size) -> Iterator[Table]` behind each."""
