"""Wrong values of arguments: each is one line that names the field, never a silent change of what was asked for."""

import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dermsynth as ds
from dermsynth.api.generators import _quotas
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError, require_seed, require_whole
from dermsynth.images import encode_png, parse_size
from dermsynth.io import parse_count, write_bytes
from dermsynth.metrics.structural import _floats
from dermsynth.models.sampler import from_bytes
from dermsynth.sampling.generator import Generator
from dermsynth.seeds import sklearn_seed


@pytest.fixture(scope="module")
def generator(run: Path) -> Generator:
    return ds.load_generator(run, device="cpu")


@pytest.mark.parametrize("value", [1.5, 2.0, "5", True, None, np.float64(1), [1]])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(UserError, match=r"`count` .*: must be a whole number"):
        require_whole(value, "count", 1)
    with pytest.raises(UserError, match=r"`seed` .*: must be a whole number"):
        require_seed(value)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_python_and_numpy_are_ints(value: Any) -> None:
    assert require_whole(value, "count", 1) == 3
    assert type(require_seed(value)) is int


@pytest.mark.parametrize(("seed", "words"), [(-1, "at least 0"), (2**63, "at most")])
def test_seeds_out_of_range_are_refused(seed: int, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"`seed` {seed}: must be {words}"):
        ds.phantom(tmp_path / "set", count=2, seed=seed, jobs=1)


def test_images_marked_by_an_unknown_word_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mix" / "nevus").mkdir(parents=True)
    write_bytes(tmp_path / "mix" / "nevus" / "1.png", encode_png(np.zeros((16, 16, 3), np.uint8)))
    with pytest.raises(UserError, match=r"`marked` 'yes': must be one of refuse, leave-out, keep"):
        ds.import_folder(tmp_path / "mix", out=tmp_path / "out", marked="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["4.7", "2.0005k", 1.5])
def test_fractions_of_images_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=f"`images` '?{text}'?: must be a whole number"):
        parse_count(text, "images")


@pytest.mark.parametrize(("text", "value"), [("1.5k", 1500), ("1.5M", 1_500_000), (500, 500), ("1e3", 1000)])
def test_amounts_of_images_are_read(text: str, value: int) -> None:
    assert parse_count(text) == value


@pytest.mark.parametrize("text", ["nan", "1/2", "1e999999999", "inf", "many"])
def test_what_is_no_amount_of_images_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write an amount of images"):
        parse_count(text)


@pytest.mark.parametrize("arguments", ["--count 4.7", "--count 2 --seed 2.9", "--count 2 --jobs 2.5"])
def test_the_shell_refuses_fractions(
    shell: Callable[..., subprocess.CompletedProcess[str]], arguments: str, tmp_path: Path
) -> None:
    result = shell("phantom", "--out", tmp_path / "set", *arguments.split(), status=1)
    flag, value = arguments.split()[-2:]
    assert f"{flag} {value}: must be a whole number" in result.stderr


def test_edits_refuse_what_is_out_of_range(generator: Generator) -> None:
    label = generator.labels[0]
    first = ds.directions(generator, "pca", count=4, components=1)[0]
    for steps in (float("nan"), [float("inf")]):
        with pytest.raises(UserError, match="`steps`: must be finite"):
            ds.edit(generator, first, [0], steps, label=label)
    with pytest.raises(UserError, match=r"`seed` -1"):
        ds.edit(generator, first, [-1], label=label)
    with pytest.raises(UserError, match="`seeds`: none given"):
        ds.edit(generator, first, [], label=label)
    with pytest.raises(UserError, match=r"`truncation` 7"):
        ds.edit(generator, first, [0], label=label, truncation=7.0)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"method": "foo"}, "`method` 'foo': must be one of svm, pca, sefa"),
        ({"method": "pca", "seed": -1}, "`seed` -1"),
        ({"method": "pca", "truncation": 7.0}, "`truncation` 7"),
        ({"method": "pca", "count": 2.5}, "`count` 2.5: must be a whole number"),
    ],
)
def test_directions_refuse_what_is_out_of_range(generator: Generator, choices: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ds.directions(generator, **choices)


def test_counts_of_pandas_are_counts(generator: Generator) -> None:
    label = generator.labels[0]
    assert _quotas(generator, pd.Series([label, label]).value_counts(), "") == {label: 2}  # type: ignore[arg-type]
    assert _quotas(generator, np.int64(2), "") == dict.fromkeys(generator.labels, 2)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"`count` 2.0: must be a whole number"):
        _quotas(generator, {label: 2.0}, "")  # type: ignore[dict-item]
    with pytest.raises(UserError, match=r"`count` 2.5: must be a whole number"):
        generator.sample(2.5, label=label)  # type: ignore[arg-type]
    assert len(generator.sample(np.int64(1), label=label, seed=np.int64(1))) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"by": ["group"]}, "`by`: goes without `brief`"),
        ({"utility": "x", "path_lengths": 2}, "`utility`, `path_lengths`: goes without `brief`"),
        ({"against": "absent"}, "`against` absent: no such folder"),
    ],
)
def test_brief_evaluations_refuse_what_they_would_ignore(phantom: DataSet, choices: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ds.evaluate(phantom, brief=True, **choices)


def test_results_never_lie_in_another_data_set(phantom: DataSet, tmp_path: Path) -> None:
    other = ds.phantom(tmp_path / "other", count=2, resolution=16, jobs=1)
    with pytest.raises(UserError, match=r"`out` .*: holds another data set"):
        ds.evaluate(other, against=phantom, out=phantom.folder)
    with pytest.raises(UserError, match=r"`out` .*: is a file"):
        ds.evaluate(other, against=phantom, out=phantom.folder / "metadata.csv")


def test_metrics_refuse_texts_and_empty_arrays() -> None:
    images = np.zeros((50, 16, 16, 3), np.uint8)
    with pytest.raises(UserError, match=r"`extractor` 'embedded': .*ds\.extractor\('embedded'\)"):
        ds.metrics.fid(images, images, extractor="embedded")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="0 real images, at least 50"):
        ds.metrics.fid(images[:0], images)
    with pytest.raises(UserError, match="`training`: holds no image"):
        ds.CopyGate.fit(images[:0], images)


NO_ROWS = [None, 3, "images", {}, np.array(3), [[1], [1, 2]]]


@pytest.mark.parametrize("bad", NO_ROWS, ids=["None", "a number", "text", "a mapping", "no dimension", "ragged"])
def test_metrics_and_copy_gates_refuse_what_has_no_rows(bad: Any) -> None:
    images = np.zeros((120, 16, 16, 3), np.uint8)
    value = r"(None|3|'images'|of type (dict|ndarray|list))"
    for metric in (ds.metrics.fid, ds.metrics.swd, ds.metrics.ms_ssim, ds.metrics.nearest_images):
        with pytest.raises(UserError, match=f"^`(real|images)` {value}: give images uint8"):
            metric(bad, images)
    with pytest.raises(UserError, match=f"^`held_out` {value}: give images uint8"):
        ds.metrics.memorisation(images, images, bad)
    with pytest.raises(UserError, match=rf"^`training` {value}: give images uint8 \[n, h, w, 3\]$"):
        ds.CopyGate.fit(bad, images)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.full((60, 4), "x"), "`training`: features of <U1; give numbers"),
        (np.full((60, 4), None), "`training`: features of object; give numbers"),
        (np.full((60, 4), np.nan), "`training`: features hold NaN or infinity"),
        (np.zeros((60, 5)), "4, 5, 4 features a row; must be the same"),
    ],
)
def test_figures_of_copying_refuse_features_that_cannot_be_compared(bad: Any, words: str) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 4))
    for metric in (ds.metrics.authenticity, ds.metrics.membership, ds.metrics.memorisation):
        with pytest.raises(UserError, match=words):
            metric(rows, bad, rows)


def test_fid_refuses_features_that_are_no_numbers() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 4))
    with pytest.raises(UserError, match="`real`: features of <U1"):
        ds.metrics.fid(np.full((60, 4), "x"), rows)
    with pytest.raises(UserError, match=r"`extractor` 3: .*ds\.extractor\('embedded'\)"):
        ds.metrics.fid(rows, rows, extractor=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"false_alarms": "few"}, "`false_alarms` 'few': must be a number"),
        ({"false_alarms": 0.0}, "`false_alarms` 0.0"),
        ({"false_alarms": 0.6}, "`false_alarms` 0.6"),
        ({"false_alarms": float("nan")}, "`false_alarms` nan"),
        ({"fewest": 1}, "`fewest` 1: must be at least 2"),
    ],
)
def test_copy_gates_refuse_numbers_out_of_range(choices: Any, words: str) -> None:
    images = np.zeros((50, 16, 16, 3), np.uint8)
    with pytest.raises(UserError, match=words):
        ds.CopyGate.fit(images, images, **choices)


@pytest.mark.parametrize(
    ("size", "sides"), [(32, (32, 32)), ("32x24", (24, 32)), ("32", (32, 32)), ((24, 32), (24, 32))]
)
def test_sizes_are_read(size: Any, sides: tuple[int, int]) -> None:
    assert parse_size(size) == sides


@pytest.mark.parametrize("size", [(0, 0), 0, "0x3", "3x", (1, 2, 3), (), "big", 2.5, None])
def test_what_is_no_size_is_refused(size: Any, phantom: DataSet) -> None:
    with pytest.raises(UserError, match="`size`"):
        phantom.images(size)


def test_arrays_that_cannot_be_written_give_no_warning() -> None:
    import torch

    images = np.arange(2 * 3 * 16 * 16, dtype=np.uint8).reshape(2, 3, 16, 16)
    images.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _floats(images).shape == from_bytes(images, torch.device("cpu")).shape


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"crop": "foo"}, "`crop` 'foo': must be one of centre, pad, stretch"),
        ({"filter": "nearest"}, "`filter` 'nearest': must be one of area, lanczos"),
        ({"precision": "foo"}, "`precision` 'foo': must be one of float32"),
        ({"batch": 2.5}, "`batch` 2.5: must be a whole number"),
        ({"seed": True}, "`seed` True: must be a whole number"),
        ({"images": 1.5}, "`images` 1.5: must be a whole number"),
    ],
)
def test_trainings_refuse_what_is_out_of_range(phantom: DataSet, tmp_path: Path, choices: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ds.train("dcgan", phantom, out=tmp_path / "run", **{"images": 16, "resolution": 16, **choices})


WRONG_PLACES: dict[str, tuple[Callable[[Any, Path], object], str]] = {
    "open_dataset": (lambda bad, _: ds.open_dataset(bad), "folder"),
    "audit": (lambda bad, _: ds.audit(bad), "data"),
    "load_generator": (lambda bad, _: ds.load_generator(bad), "run"),
    "train, data": (lambda bad, out: ds.train("dcgan", [bad], out=out, images=16), "data"),  # type: ignore[arg-type]
    "evaluate": (lambda bad, _: ds.evaluate(bad), "synthetic"),
    "create_study, out": (lambda bad, data: ds.create_study("baur", data, data, bad), "out"),
    "analyse_study": (lambda bad, _: ds.analyse_study([bad]), "source"),  # type: ignore[arg-type]
    "utility": (lambda bad, data: ds.utility(data, [bad], out="x", positive="a", negative="b"), "real"),  # type: ignore[list-item]
    "export": (lambda bad, _: ds.export(bad, out="x"), "synthetic"),
    "phantom": (lambda bad, _: ds.phantom(bad), "out"),
    "import_folder": (lambda bad, _: ds.import_folder(bad, out="x"), "folder"),
    "import_csv": (lambda bad, _: ds.import_csv(bad, out="x", image="file"), "table"),
    "artefacts.detect": (lambda bad, _: ds.artefacts.detect(bad), "data"),
    "artefacts.masks": (lambda bad, _: ds.artefacts.masks([bad]), "image"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("bad", [None, 3, np.zeros((2, 16, 16, 3), np.uint8)], ids=["None", "a number", "an array"])
@pytest.mark.parametrize("name", WRONG_PLACES)
def test_what_is_no_place_is_refused_by_the_name_of_the_parameter(name: str, bad: object, phantom: DataSet) -> None:
    call, field = WRONG_PLACES[name]
    with pytest.raises(UserError, match=f"^`{field}` (None|3|of type (ndarray|list)): "):
        call(bad, phantom.folder)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"snapshots": 4}, "`snapshots`: train has no such choice; there are: accumulate, crop, "),
        ({"options": ["a"]}, "`options` of type list: name each setting"),
        ({"callbacks": print}, "`callbacks` of type builtin_function_or_method: must be of a class"),
        ({"imbalance": "a"}, "`imbalance` 'a': must be a number"),
        ({"rate": -1}, "`rate` -1: must be above 0"),
        ({"out": None}, "`out` None: must be a path"),
        ({"initial": [1]}, "`initial` of type list: must be a path"),
    ],
)
def test_training_refuses_what_it_does_not_understand(
    phantom: DataSet, choices: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        ds.train("dcgan", phantom, **{"out": tmp_path / "run", "images": 16, "resolution": 16, **choices})


def test_what_one_function_returns_the_next_one_takes(phantom: DataSet, tmp_path: Path) -> None:
    last = ds.train("dcgan", phantom, out=tmp_path / "run", images=16, batch=8, resolution=(16, 16), device="cpu")
    assert repr(last) == f"Checkpoint('{last.path}': dcgan, 16 images shown)"
    synthetic = ds.generate(last, out=tmp_path / "synthetic", count=1, data=phantom, device="cpu")
    assert len(synthetic) == len(phantom.classes)
    tuned = ds.train(
        "dcgan", phantom, out=tmp_path / "tuned", images=8, batch=8, resolution=16, device="cpu",
        initial=ds.load_generator(last, device="cpu"), loop=ds.LoopChoices(snapshot=8), split="all",
    )  # fmt: skip
    assert tuned.images == 8
    assert "16 x 16, 8 images shown" in repr(ds.load_generator(tuned, device="cpu"))


def test_training_on_synthetic_images_warns(phantom: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = ds.train("dcgan", phantom, out=tmp_path / "run", images=16, batch=8, resolution=16, device="cpu")
    synthetic = ds.generate(run, out=tmp_path / "synthetic", count=16, device="cpu")
    caplog.clear()
    with caplog.at_level("WARNING", logger="dermsynth"):
        ds.train(
            "dcgan", synthetic, out=tmp_path / "second", images=8, batch=8, resolution=16, split="all", device="cpu"
        )
    assert "training on synthetic images; what their generator got wrong is learnt too" in caplog.text


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_small_seeds_reach_scikit_learn_as_they_are(seed: int) -> None:
    assert sklearn_seed(seed) == seed


def test_large_seeds_reach_scikit_learn_as_small_ones(phantom: DataSet) -> None:
    assert sklearn_seed(2**32) == sklearn_seed(2**32) <= 2**32 - 1
    assert sklearn_seed(2**32) != sklearn_seed(2**40)
    assert ds.audit(phantom, seed=2**40, jobs=1).findings is not None
    with pytest.raises(UserError, match=r"`seed` 1.5: must be a whole number"):
        ds.audit(phantom, seed=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("utility {data} --real nope --out x --positive melanoma --negative nevus", "--real nope: no such folder"),
        (
            "utility {data} --real {data} --out x --positive melanoma --negative nevus --repeats 0",
            "--repeats 0: must be",
        ),
        ("study create --real {data} --synthetic nope --protocol baur --out x", "--synthetic nope: no such folder"),
        (
            "study create --real {data} --synthetic {data} --protocol bauer --out x",
            "--real {data} --synthetic {data}: one is not",
        ),
    ],
)
def test_the_shell_names_flags(
    shell: Callable[..., subprocess.CompletedProcess[str]], arguments: str, words: str, phantom: DataSet
) -> None:
    result = shell(*arguments.format(data=phantom.folder).split(), status=1)
    assert words.format(data=phantom.folder) in result.stderr
