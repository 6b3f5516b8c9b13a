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
        ".parquet": "superfine.data.formats.parquet:read_parquet",
    },
)
