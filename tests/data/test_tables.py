"""Tables as spreadsheets and libraries of many countries write them."""

from pathlib import Path

import pytest

from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError

ROWS = [["image", "label", "note"], ["a.png", "Nävus", "1,5"], ["b.png", "mélanome", "x; y"]]


def _write(path: Path, separator: str = ",", encoding: str = "utf-8", head: str = "") -> Path:
    quoted = [[f'"{cell}"' if any(s in cell for s in ",;\t|") else cell for cell in row] for row in ROWS]
    path.write_bytes((head + "\r\n".join(separator.join(row) for row in quoted) + "\r\n").encode(encoding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_every_common_separator_and_encoding_gives_the_same_table(
    separator: str, encoding: str, tmp_path: Path
) -> None:
    notes: list[str] = []
    table = read_table(_write(tmp_path / "t.csv", separator, encoding), notes=notes)
    assert [list(table.columns), *table.to_numpy().tolist()] == ROWS
    assert any("Windows-1252" in note for note in notes) == (encoding == "cp1252")
    assert any("separated by" in note for note in notes) == (separator != ",")


@pytest.mark.parametrize("head", ["sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_the_first_line_of_excel_names_the_separator(head: str, tmp_path: Path) -> None:
    assert read_table(_write(tmp_path / "t.csv", ";", head=head)).to_numpy().tolist() == ROWS[1:]


@pytest.mark.parametrize("line", [2, 5])
def test_an_unquoted_comma_is_refused_with_its_line_wherever_it_stands(line: int, tmp_path: Path) -> None:
    rows = ["image,label,patient", *[f"{n}.png,nevus,P{n}" for n in range(6)]]
    rows[line - 1] = "x.png,Spitz, Reed,P9"
    (tmp_path / "t.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match=f"expected 3 fields in line {line}, saw 4"):
        read_table(tmp_path / "t.csv")


def test_commas_at_the_end_of_every_row_are_no_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("image,label,\na.png,nevus,\nb.png,nevus,\n")
    assert list(read_table(tmp_path / "t.csv").columns) == ["image", "label"]
    assert capsys.readouterr().err == ""


def test_a_column_that_stands_there_twice_cannot_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,label,label \na.png,nevus,melanoma\n")
    table = read_table(tmp_path / "t.csv")
    require_columns(table, ["image"], tmp_path / "t.csv")
    with pytest.raises(UserError, match="several columns are named 'label'"):
        require_columns(table, ["label"], tmp_path / "t.csv")


def test_quoted_line_breaks_excel_text_and_short_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,label,note\n="0012","two\nlines",x\n7,nevus\n\n')
    notes: list[str] = []
    table = read_table(tmp_path / "t.csv", notes=notes)
    assert table.to_numpy().tolist() == [["0012", "two\nlines", "x"], ["7", "nevus", ""]]
    assert "1 rows have fewer cells" in notes[0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"PK\x03\x04rest", "a workbook"),
        (b"\xd0\xcf\x11\xe0rest", "a workbook"),
        (b"a,b\n1,\0\n", "NUL byte in line 2"),
        (b'a,b\n"1,2\n3,4\n', "unexpected end of data"),
        (b"\xff\xfea", "damaged utf-16"),
    ],
)
def test_what_is_no_table_is_one_line(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_table(tmp_path / "t.csv")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
