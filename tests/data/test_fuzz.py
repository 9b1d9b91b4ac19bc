"""Random tables: import, audit, split and export agree with a literal transcription of what was written, and never trace back."""

import csv
import tempfile
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dermsynth.data.audit import as_json, as_text, audit
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.importers.generic import from_csv
from dermsynth.data.importers.importing import import_source
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.export.huggingface import export
from dermsynth.images import encode_png
from dermsynth.values import parse_flag

COUNT = 24
TRUE, FALSE = ["true", "True", "TRUE", "1", "1.0", "1,0", "yes", "WAHR"], ["false", "False", "0", "0.0", "no", "FALSCH"]
MISSING = ["", "NA", "nan", "NULL", "#N/A", "-"]
LETTERS = st.text(st.characters(codec="cp1252", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=12)
PROFILE = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        coarse = np.random.default_rng(number).integers(40, 220, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((24, 18), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@st.composite
def tables(draw: st.DrawFn) -> dict[str, object]:
    """A table as text, and what its writer meant: label, patient and flag of every image."""
    separator, encoding = (
        draw(st.sampled_from(",;\t|")),
        draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
    )
    classes = draw(
        st.lists(
            st.sampled_from(["nevus", "melanoma", "Nävus", "a, b", "x;y", "3", "-1"]),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    patients = draw(st.integers(1, COUNT))
    labels = [draw(st.sampled_from([*classes, None])) for _ in range(COUNT)]
    people = [draw(st.sampled_from([*range(patients), None])) for _ in range(COUNT)]
    spell = st.sampled_from(["P{:03d}", "p{:03d}", " P{:03d} "])
    more = draw(
        st.dictionaries(
            LETTERS.map(lambda name: f"x{name.strip()}"), st.lists(LETTERS, min_size=COUNT, max_size=COUNT), max_size=3
        )
    )
    columns: dict[str, list[str]] = {
        "image": [f"{number}.png" for number in range(COUNT)],
        "label": [draw(st.sampled_from(MISSING)) if label is None else label for label in labels],
        "patient": [draw(st.sampled_from(MISSING)) if who is None else draw(spell).format(who) for who in people],
        **more,
    }
    text = StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])))
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return {"bytes": text.getvalue().encode(encoding), "labels": labels, "people": people}


@PROFILE
@given(tables(), st.integers(0, 99))
def test_import_audit_and_split_agree_with_what_was_meant(pictures: Path, table: dict[str, object], seed: int) -> None:
    (pictures / "t.csv").write_bytes(table["bytes"])  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        source = from_csv(pictures / "t.csv", image="image", label="label", group="patient")
        data = import_source(source, Path(folder) / "d", seed=seed, jobs=1).data_set
        assert [Path(name).stem for name in data.table["file_name"]] == [str(number) for number in range(COUNT)]
        assert [label or None for label in data.labels] == table["labels"]
        people = table["people"]
        assert isinstance(people, list)
        assert [int(group[1:]) if group else None for group in data.groups] == people
        for who in set(people) - {None}:
            assert len({part for part, other in zip(data.table["split"], people, strict=True) if other == who}) == 1
        found = audit(data, jobs=1)
        assert f"{COUNT} images" in as_text(found)
        assert as_json(found)["leaks"] == []
        assert sum(found.classes["images"]) == COUNT


def _synthetic_set(folder: Path, flag_column: list[str], rewrite: str) -> DataSet:
    (folder / "images").mkdir(parents=True)
    names = [f"images/{number}.png" for number in range(len(flag_column))]
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        (folder / name).write_bytes(encode_png(pixels, synthetic=True))
    table = pd.DataFrame({"file_name": names, "label": "nevus", "copy_flag": flag_column})
    facts = {"synthetic": True, "source": "generated", "licence": ["CC0-1.0"]}
    write_data_set(folder, table, Provenance.model_validate(facts), Step(command="test"))
    if rewrite == "pandas":
        pd.read_csv(folder / "metadata.csv").to_csv(folder / "metadata.csv", index=False)
    elif rewrite == "semicolons":
        table.to_csv(folder / "metadata.csv", index=False, sep=";", encoding="utf-16")
    return open_data_set(folder)


@PROFILE
@given(
    st.lists(st.booleans(), min_size=4, max_size=12).filter(lambda flags: not all(flags)),
    st.sampled_from(["", "pandas", "semicolons"]),
    st.data(),
)
def test_no_flagged_copy_is_exported_however_it_is_written(
    flagged: list[bool], rewrite: str, data: st.DataObject
) -> None:
    written = [data.draw(st.sampled_from(TRUE if flag else FALSE)) for flag in flagged]
    with tempfile.TemporaryDirectory() as folder:
        source = _synthetic_set(Path(folder) / "set", written, rewrite)
        out = export(source, Path(folder) / "out")
        assert sorted(Path(name).stem for name in out.table["file_name"]) == sorted(
            str(number) for number, flag in enumerate(flagged) if not flag
        )


@PROFILE
@given(LETTERS.filter(lambda text: text.strip().casefold() not in {*map(str.casefold, TRUE + FALSE + MISSING)}))
def test_a_flag_that_is_none_is_refused_with_row_and_column(text: str) -> None:
    try:
        parse_flag(text)
    except ValueError:
        with tempfile.TemporaryDirectory() as folder:
            source = _synthetic_set(Path(folder) / "set", ["false", text, "true"], "")
            with pytest.raises(UserError, match=r"row 3 .*column 'copy_flag'"):
                export(source, Path(folder) / "out")
            assert not (Path(folder) / "out").exists()
