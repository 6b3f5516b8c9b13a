"""Whatever users have becomes columns with the row numbers of their file, and what is unusable says what is wrong and where."""

import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superfine.data.files import File
from superfine.data.read import read_file, read_table
from superfine.data.table import ReadOptions
from superfine.errors import DataError, InputError

COLUMNS = {"text": ["one, two\nthree", "好的"], "label": ["1", "0"]}
SKIP = ReadOptions(skip_bad_rows=True)


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_csv(columns, encoding="utf-8"):
    import csv

    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue().encode(encoding)


def as_excel(columns, sheet="Sheet1"):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Cover"
    page = book.create_sheet(sheet)
    page.append([])
    page.append([f" {name} " for name in columns])
    for values in zip(*columns.values(), strict=True):
        page.append([int(v) if v.isdigit() else v for v in values])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def as_parquet(columns):
    import pandas as pd

    stream = io.BytesIO()
    pd.DataFrame({"text": columns["text"], "label": [float(v) for v in columns["label"]]}).to_parquet(stream)
    return stream.getvalue()


def as_zstd(content):
    import zstandard

    return zstandard.ZstdCompressor().compress(content)


def records(columns):
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", as_csv(COLUMNS)),
        ("a.csv.gz", gzip.compress(as_csv(COLUMNS))),
        ("a.csv.zst", as_zstd(as_csv(COLUMNS))),
        ("gzipped-without-saying.csv", gzip.compress(as_csv(COLUMNS))),
        ("a.json", json.dumps(records(COLUMNS))),
        ("columns.json", json.dumps(COLUMNS)),
        ("under_a_key.json", json.dumps({"version": 1, "data": records(COLUMNS)})),
        ("lines_in_a.json", "\n".join(json.dumps(r) for r in records(COLUMNS))),
        ("a.jsonl", "\n".join(json.dumps(r) for r in records(COLUMNS))),
        ("a.xlsx", as_excel(COLUMNS)),
        ("really_excel.csv", as_excel(COLUMNS)),
        ("a.parquet", as_parquet(COLUMNS)),
    ],
)
def test_every_format_gives_the_same_columns(tmp_path, name, content):
    assert read_table(write(tmp_path, name, content)).columns == COLUMNS


def test_rows_of_a_workbook_have_the_numbers_that_the_spreadsheet_shows_and_the_sheet_is_said(tmp_path):
    table = read_table(write(tmp_path, "a.xlsx", as_excel(COLUMNS, "Reviews")))
    assert table.row.tolist() == [3, 4]
    assert 'sheet "Reviews" is read, not Cover' in table.notes[0]
    with pytest.raises(DataError, match=r'no sheet "Revews".*\n.*Cover, Reviews'):
        read_table(tmp_path / "a.xlsx", ReadOptions(sheet="Revews"))


def test_class_names_that_a_hub_data_set_keeps_beside_its_numbers_are_the_labels(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    data = Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    data.to_parquet(tmp_path / "a.parquet")
    for source in (tmp_path / "a.parquet", data):
        assert read_table(source).columns == {"text": ["a", "b", "c"], "label": ["pos", "neg", ""]}


def test_tables_in_memory_are_read_alike():
    import pandas as pd
    import polars as pl

    from datasets import Dataset

    columns = {"text": ["a", None], "label": [1, 0]}
    expected = {"text": ["a", ""], "label": ["1", "0"]}
    for frame in (columns, pd.DataFrame(columns), pl.DataFrame(columns), Dataset.from_dict(columns)):
        assert read_table(frame).columns == expected, type(frame)
    assert read_table(pd.DataFrame({"text": ["a", np.nan], "label": [1.0, np.nan]})).columns["label"] == ["1", ""]


def test_several_tables_in_one_object_are_refused_with_the_way_out():
    from datasets import Dataset, DatasetDict

    data = DatasetDict(train=Dataset.from_dict({"text": ["a"]}), test=Dataset.from_dict({"text": ["b"]}))
    with pytest.raises(DataError, match=r'several tables: train, test.\nGive one of them, for example data\["train"\]'):
        read_table(data)
    with pytest.raises(DataError, match="int cannot be read as a table"):
        read_table(3)


def test_several_files_are_one_table_and_say_where_each_begins(tmp_path):
    first = write(tmp_path, "a.csv", "text,label\na,x\nb,y\n")
    second = write(tmp_path, "b.csv", "label,text,stars\nz,c,5\n")
    table = read_table([first, second])
    assert table.columns == {"text": ["a", "b", "c"], "label": ["x", "y", "z"], "stars": ["", "", "5"]}
    assert table.row.tolist() == [2, 3, 5]
    said = ["a.csv lacks the columns stars: they are empty there.", "a.csv: rows 2 to 3", "b.csv: rows 5 to 5"]
    assert [note.rpartition("/")[2] for note in table.notes] == said


def test_a_folder_of_classes_is_read_file_by_file(tmp_path):
    for label, texts in {"neg": ["bad"], "pos": ["好", "fine"]}.items():
        (tmp_path / "train" / label).mkdir(parents=True)
        for i, text in enumerate(texts):
            write(tmp_path / "train" / label, f"{i}.txt", text)
    table = read_table(tmp_path / "train")
    assert table.columns == {
        "text": ["bad", "好", "fine"], "label": ["neg", "pos", "pos"], "file": ["neg/0.txt", "pos/0.txt", "pos/1.txt"],
    }  # fmt: skip
    with pytest.raises(DataError, match=f"Name the folder that holds the classes, for example {tmp_path}/train"):
        read_table(tmp_path)


def test_a_folder_of_files_is_refused_and_names_them(tmp_path):
    write(tmp_path, "reviews.csv", "text,label\na,b\n")
    with pytest.raises(DataError, match=r"Name a file: reviews.csv"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", "text,label\n", "header but no rows"),
        ("a.csv", "text,text\na,b\n", "more than once"),
        ("a.csv", 'label,text\na,x\nb,"unclosed\nc,y\nd,z\n', "row 3 opens a quotation mark that is never closed"),
        ("a.csv", "text,label\na,b\nc\n", "row 3 has 1 fields, the header has 2"),
        ("a.csv", 'text,label\n"a\nb",b\nc\n', "row 3 (line 4) has 1 fields"),
        ("a.csv", "text,label\na,b\nc\0,d\n", "row 3 holds a NUL byte"),
        (
            "a.csv",
            "text,label\n好,b\n好好好好好好好好好好好好好好好好好好好好,b\n".encode() + b"\xff,c\n",
            "row 4 holds bytes that are not UTF-8",
        ),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00\x00\x00\x01\x00\x08\x06", "is not text"),
        ("a.xyz", "text", 'end in ".xyz"'),
        ("a.jsonl", '{"text": ' + "9" * 5000 + "}\n", "row 1 is not JSON"),
        ("a.jsonl", '{"text": 1}\n[1]\n', "row 2 is not a JSON object"),
        ("a.jsonl", '{"text": 1\n', "row 1 is not JSON"),
        ("a.json", '{"text": 1', "is not JSON"),
        ("a.json", "[1, 2]", "holds no list of objects"),
        ("a.csv.gz", gzip.compress(as_csv(COLUMNS))[:-9], "damaged archive"),
        ("a.csv.zst", as_zstd(as_csv(COLUMNS))[:-9], "damaged archive"),
        ("a.parquet", b"PAR1 and nothing else", "no Parquet file"),
        ("a.xlsx", b"PK\x03\x04 and nothing else", "no workbook"),
    ],
)
def test_an_unusable_file_is_named_with_the_place(tmp_path, name, content, message):
    path = write(tmp_path, name, content)
    with pytest.raises(DataError) as error:
        read_table(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    write(tmp_path, "reviews.csv", "text,label\na,b\n")
    with pytest.raises(DataError, match=r'does not exist. Did you mean "reviews.csv"'):
        read_table(tmp_path / "review.csv")


def test_half_a_surrogate_pair_is_replaced(tmp_path):
    assert read_table(write(tmp_path, "a.jsonl", '{"text": "hi \\ud83d", "label": "\\ud83d\\ude00"}\n')).columns == {
        "text": ["hi \ufffd"],
        "label": ["\U0001f600"],
    }


def test_jsonl_fills_absent_keys_and_counts_lines(tmp_path):
    table = read_table(write(tmp_path, "a.jsonl", '{"text": "x", "label": 1}\n\n{"text": "y", "extra": null}\n'))
    assert table.columns == {"text": ["x", "y"], "label": ["1", ""], "extra": ["", ""]}
    assert table.row.tolist() == [1, 3]


@given(
    st.binary(max_size=300) | st.text(max_size=300).map(str.encode),
    st.sampled_from([".csv", ".tsv", ".jsonl", ".json"]),
    st.booleans(),
)
def test_any_bytes_are_read_or_refused_but_never_crash(content, ending, skip):
    try:
        table = read_file(File("it", ending, content=content), ReadOptions(skip_bad_rows=skip))
    except InputError:
        return
    assert all(len(column) == len(table) for column in table.columns.values())
    assert not (table.bad_rows and not skip)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl"])
def test_reading_tells_how_far_it_is(tmp_path, name):
    lines = [
        json.dumps({"text": f"text {i} " * 10, "label": "x"}) if "jsonl" in name else f"{'word ' * 20}{i},x"
        for i in range(30_000)
    ]
    content = "\n".join(lines if "jsonl" in name else ["text,label", *lines]).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    calls = []
    table = read_table(path, ReadOptions(on_bytes=lambda done, total: calls.append((done, total))))
    assert len(table) == 30_000
    size = path.stat().st_size
    assert {total for _, total in calls} == {size}
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (size, size)
    assert name.endswith(".gz") or len(calls) > 2


def test_columns_of_several_files_are_matched_whatever_their_case(tmp_path):
    first = write(tmp_path, "a.csv", "text,label\none,a\n")
    second = write(tmp_path, "b.csv", "Label,Text\nb,two\n")
    assert read_table([first, second]).columns == {"text": ["one", "two"], "label": ["a", "b"]}


def test_files_with_other_columns_are_refused_or_said(tmp_path):
    first = write(tmp_path, "a.csv", "text,label\none,a\n")
    other = write(tmp_path, "b.csv", "review,sentiment\ntwo,b\n")
    with pytest.raises(
        DataError, match=r"b\.csv has other columns than the file before: review, sentiment instead of text, label"
    ):
        read_table([first, other])
    lacking = write(tmp_path, "c.csv", "text\nthree\n")
    assert any("c.csv lacks the columns label" in note for note in read_table([first, lacking]).notes)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", [{"text": "a", " text": "b", "label": "n"}]),
        ("x.jsonl", [{"text": "a", "text ": "b", "label": "n"}]),
    ],
)
def test_a_column_named_twice_is_refused_in_json_too(tmp_path, name, content):
    text = json.dumps(content) if name.endswith(".json") else "\n".join(map(json.dumps, content))
    with pytest.raises(DataError, match="names text more than once"):
        read_table(write(tmp_path, name, text))


def test_what_the_system_does_not_let_us_read_is_said(tmp_path):
    with pytest.raises(DataError, match="File name too long"):
        read_table("x" * 300 + ".csv")
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    with pytest.raises(DataError, match=r"leads nowhere|symbolic links"):
        read_table(loop)
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="leads nowhere"):
        read_table(tmp_path / "gone.csv")


def test_a_folder_without_permission_is_said(tmp_path, monkeypatch):
    from pathlib import Path

    def forbidden(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_dir", forbidden)
    with pytest.raises(DataError, match=r"secret\.csv cannot be read: Permission denied"):
        read_table(tmp_path / "secret.csv")


def test_a_lazy_frame_is_asked_to_be_collected():
    import polars

    with pytest.raises(DataError, match="collect"):
        read_table(polars.LazyFrame({"text": ["a"], "label": ["b"]}))


def test_a_folder_of_brat_gives_the_lines_that_are_annotated_as_a_whole(tmp_path):
    write(tmp_path, "a.txt", "It works well.\nIt broke, twice.\nNo opinion.\n")
    write(tmp_path, "a.ann", "T1\tgood 0 14\tIt works well.\nT2\tbad 15 31\tIt broke, twice.\nT3\tThing 0 2\tIt\nA1\tSure T1\n")
    write(tmp_path, "b.txt", "很好")
    write(tmp_path, "b.ann", "T1\tgood 0 2\t很好\n")
    table = read_table(tmp_path)
    assert table.columns["text"] == ["It works well.", "It broke, twice.", "很好"]
    assert table.columns["label"] == ["good", "bad", "good"]
    assert table.notes == (f"{tmp_path}: 1 annotations cover a part of a line and are left out",)
    write(tmp_path, "a.ann", "T1\tThing 0 2\tIt\n")
    write(tmp_path, "b.ann", "")
    with pytest.raises(DataError, match="none of which covers a whole text or line"):
        read_table(tmp_path)


def as_zip(members):
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_zip_archive_with_one_table_is_that_table(tmp_path):
    beside = {"export/README.txt": "notes", "__MACOSX/data.csv": "x", "export/": ""}
    assert read_table(write(tmp_path, "a.zip", as_zip({"export/data.csv": as_csv(COLUMNS), **beside}))).columns == COLUMNS
    assert read_table(write(tmp_path, "b.zip", as_zip({"data.xlsx": as_excel(COLUMNS)}))).columns == COLUMNS
    assert read_table(write(tmp_path, "c.csv", as_zip({"data.tsv": "text\tlabel\na\tb\n"}))).columns == {
        "text": ["a"],
        "label": ["b"],
    }


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.csv": "x,y\n1,2\n", "b.csv": "x,y\n1,2\n"}, "holds 2 tables: a.csv, b.csv"),
        ({"a.png": "x"}, "holds no table"),
    ],
)
def test_a_zip_archive_without_a_table_or_with_several_is_refused(tmp_path, members, message):
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, "a.zip", as_zip(members)))


def test_fifty_thousand_columns_are_read_in_linear_time_and_named_in_few_words(tmp_path):
    names = [f"c{i}" for i in range(50_000)]
    table = read_table(write(tmp_path, "a.csv", ",".join(names) + "\n" + ",".join(["1"] * 50_000) + "\n"))
    assert list(table.columns) == names
    from superfine.data.columns import choose_columns

    with pytest.raises(DataError) as error:
        choose_columns(table, ["c-1"], label="c1")
    assert len(str(error.value)) < 500
    doubled = write(tmp_path, "b.csv", ",".join(["a"] * 25_000 + ["b"] * 25_000) + "\n")
    with pytest.raises(DataError, match="names a, b more than once"):
        read_table(doubled)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"text": [b"\xff"], "label": ["a"]}, 'column "text" of the given table holds bytes that are not UTF-8, in row 1'),
        ({"text": "one text", "label": ["a"]}, 'column "text" of the given table is no list'),
        ({"text": np.zeros((2, 2)), "label": ["a", "b"]}, 'column "text" of the given table is no list'),
    ],
)
def test_columns_that_hold_no_cells_are_named(frame, message):
    with pytest.raises(DataError, match=message):
        read_table(frame)


def test_frames_with_nullable_types_categories_bytes_and_nested_values_are_read():
    import pandas as pd

    frame = pd.DataFrame(
        {
            "text": pd.Series(["a", None, "\ud83d half"], dtype=object),
            "label": pd.array([1, pd.NA, 0], dtype="Int64"),
            "kind": pd.Categorical(["x", None, "y"]),
            "raw": [b"a", b"b", b"c"],
            "tags": [["t"], [], ["u", "v"]],
            "info": [{"n": 1}, {"n": 2}, {"n": 3}],
        }
    )
    table = read_table(frame)
    assert table.columns["text"] == ["a", "", "\ufffd half"]
    assert table.columns["label"] == ["1", "", "0"]
    assert table.columns["kind"] == ["x", "", "y"]
    assert table.columns["raw"] == ["a", "b", "c"]
    assert table.columns["tags"] == ["t", "", '["u", "v"]']
    assert table.columns["info.n"] == ["1", "2", "3"]
    assert table.nested == {"tags": 'row 3 holds a list: ["u", "v"]'}
    with pytest.raises(DataError, match="same name"):
        read_table(pd.DataFrame([["a", "b"]], columns=["text", "text "]))


@pytest.mark.parametrize("address", ["https://example.org/data.csv", "s3://bucket/data.csv"])
def test_an_address_is_said_not_to_be_read(address):
    with pytest.raises(DataError, match="is an address: nothing is fetched from there"):
        read_table(address)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_line_that_fills_the_memory_is_refused_before_it_does(tmp_path, name, monkeypatch):
    from superfine.data import files

    monkeypatch.setattr(files, "LONGEST_LINE", 1 << 20)
    path = write(tmp_path, f"{name}.gz", gzip.compress(b'{"text": "label"}\n' + b"a" * (3 << 20)))
    with pytest.raises(DataError, match=r"line \d is longer than 1 million characters"):
        read_table(path)


def test_json_that_fills_the_memory_is_refused_before_it_does(tmp_path, monkeypatch):
    from superfine.data import files

    monkeypatch.setattr(files, "LONGEST_TEXT", 1 << 20)
    path = write(tmp_path, "a.json", "[" + '"a",' * (1 << 20) + "1]")
    with pytest.raises(DataError, match="holds over 1 million characters"):
        read_table(path)
