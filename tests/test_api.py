"""The public door: light to open, complete, and documented so that every example runs."""

import ast
import builtins
import doctest
import importlib
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dermsynth as ds
from dermsynth.data.dataset import DataSet
from dermsynth.images import encode_png
from dermsynth.models.sampler import to_bytes
from dermsynth.sampling.generator import Generator

HEAVY = ("torch", "numpy", "pandas", "cv2", "scipy", "matplotlib", "sklearn", "pydantic", "joblib")
MODULES = ("artefacts", "metrics")
INTERNAL = ("origin", "provenance", "fit_planes", "check_planes")
CLASSES = {"Generator": Generator, "CopyGate": ds.CopyGate}
CHOICES = {"ImageChoices": ds.ImageChoices, "LoopChoices": ds.LoopChoices}
WITHOUT_ERRORS = {"metrics.list", "layouts", "Callback", *CHOICES}
WITHOUT_RESULT = {"use_workers", "metrics.add_metric", "Callback", *CHOICES}


def public() -> dict[str, Any]:
    """Every public function and method by its name."""
    found = {name: getattr(ds, name) for name in ds.__all__ if inspect.isfunction(getattr(ds, name))}
    for module in MODULES:
        inside = getattr(ds, module)
        found |= {f"{module}.{n}": getattr(inside, n) for n in inside.__all__ if inspect.isfunction(getattr(inside, n))}
    for name, kind in CLASSES.items():
        methods = {n: m for n, m in vars(kind).items() if not n.startswith("_") and callable(getattr(kind, n))}
        found |= {f"{name}.{n}": getattr(kind, n) for n in methods if n not in INTERNAL}
    return found | {"Callback": ds.Callback} | CHOICES


PUBLIC = public()


def sections(text: str) -> dict[str, str]:
    """The sections of a numpydoc docstring by their titles."""
    parts = re.split(r"^(\w+)\n-{3,}\n", inspect.cleandoc(text), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(section: str) -> list[str]:
    """Names of a section of parameters."""
    heads = re.findall(r"^(\w[\w, ]*?)(?: : .*)?$", section, flags=re.MULTILINE)
    return [name.strip() for head in heads for name in head.split(",")]


def test_to_import_it_loads_nothing_heavy() -> None:
    code = f"import sys, dermsynth\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_data_set_opens_without_torch() -> None:
    code = "import sys, dermsynth\ndermsynth.open_dataset\nprint('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_all_names_are_there_whatever_was_imported_before() -> None:
    import dermsynth.artefacts.fill
    import dermsynth.export.huggingface
    import dermsynth.utility.arms  # noqa: F401

    assert sorted(ds.__all__) == sorted(ds._HOMES | ds._MODULES)
    assert set(ds.__all__) <= set(dir(ds))
    assert inspect.isfunction(ds.export)
    assert inspect.isfunction(ds.utility)
    assert inspect.isfunction(ds.artefacts.remove)
    with pytest.raises(AttributeError, match="fidd"):
        ds.fidd  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_parameters_are_documented_as_they_are(name: str) -> None:
    names = [p for p in inspect.signature(PUBLIC[name]).parameters if p not in ("self", "cls")]
    assert sorted(documented(sections(PUBLIC[name].__doc__ or "").get("Parameters", ""))) == sorted(names)


@pytest.mark.parametrize("name", PUBLIC)
def test_parameters_have_types(name: str) -> None:
    section = sections(PUBLIC[name].__doc__ or "").get("Parameters", "")
    entries = re.findall(r"^(\S.*)\n(?:    (.*))?", section, flags=re.MULTILINE)
    assert [head for head, text in entries if " : " not in head and not text.startswith("As for `")] == []


def unknown_names(module: str) -> set[str]:
    """Names in a module's examples that neither the module nor the example has."""
    place, unknown = importlib.import_module(module), set[str]()
    for test in doctest.DocTestFinder(exclude_empty=True).find(place, module):
        tree = ast.parse("".join(example.source for example in test.examples))
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        imported = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
                    for alias in node.names}  # fmt: skip
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        known = imported | defined | arguments | stored | vars(place).keys() | vars(builtins).keys()
        unknown |= {node.id for node in names} - known
    return unknown


def test_examples_use_names_that_exist() -> None:
    sources = Path(ds.__file__).parent
    files = [file for file in sorted(sources.rglob("*.py")) if ">>>" in file.read_text()]
    modules = [".".join(("dermsynth", *file.relative_to(sources).with_suffix("").parts)) for file in files]
    assert {module: unknown for module in modules if (unknown := unknown_names(module))} == {}


@pytest.mark.parametrize("name", PUBLIC)
def test_returns_errors_and_an_example_are_documented(name: str) -> None:
    known = sections(PUBLIC[name].__doc__ or "")
    assert {"Returns", "Examples"} <= set(known) or name in WITHOUT_RESULT
    assert "Raises" in known or name in WITHOUT_ERRORS
    assert ">>>" in known["Examples"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, drawn_mobilenet: Path) -> Iterator[Path]:
    """A folder with what the examples speak of: data, run, translation, synthetic, photographs, weights."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        data = ds.phantom("data", count=600, resolution=32, jobs=1)
        small = {"channel_base": 128, "channel_max": 8, "latent": 64}
        ds.train("stylegan2-ada", data, out="run", images=16, batch=16, resolution=32, options=small, device="cpu")
        tiny = {"features": 4, "blocks": 1, "discriminator_features": 4}
        ds.train(
            "cyclegan", data, out="translation", images=8, batch=4, resolution=32, options=tiny, source="nevus",
            target="melanoma", device="cpu",
        )  # fmt: skip
        ds.generate("run", out="synthetic", count=50, device="cpu")
        few = data.select(np.arange(len(data.table)) < 8)
        ds.artefacts.insert(few, out="with_frames", artefacts=["frame"], jobs=1)
        ds.phantom("few", count=100, resolution=32, jobs=1)
        write_photographs(data)
        Path("mobilenet.safetensors").symlink_to(drawn_mobilenet)
        (folder / "study.toml").write_text(STUDY)
        yield folder


STUDY = """
positive = "synthetic"
groups = ["dermatologist", "other"]

[title]
en = "Real or generated?"
de = "Echt oder erzeugt?"

[[conditions]]
name = "all"
images = [{ kind = "real", count = 6 }, { kind = "synthetic", count = 6 }]

[[questions]]
name = "kind"
type = "kind"
"""


def write_photographs(data: DataSet) -> None:
    """A folder of images by label, and a table of the same."""
    rows, published = ["file,diagnosis,patient"], ["image_id,dx,lesion_id"]
    images = data.images((32, 32))
    for label in ("nevus", "melanoma"):
        folder = Path("photographs") / label
        folder.mkdir(parents=True)
        for number in np.flatnonzero(data.labels == label)[:20]:
            (folder / f"{number}.png").write_bytes(encode_png(images[number]))
            rows.append(f"photographs/{label}/{number}.png,{label},p{number}")
            published.append(f"{number},{'nv' if label == 'nevus' else 'mel'},l{number}")
    Path("photographs.csv").write_text("\n".join(rows) + "\n")
    Path("photographs_ham10000.csv").write_text("\n".join(published) + "\n")


@pytest.mark.parametrize("name", [*PUBLIC, *CLASSES])
def test_every_example_runs(name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file in place.iterdir():
        if file.name.startswith("photographs"):  # links out of a folder are not imported
            copy = shutil.copytree if file.is_dir() else shutil.copyfile
            copy(file, file.name)
        else:
            Path(file.name).symlink_to(file)
    example = PUBLIC.get(name, CLASSES.get(name))
    test = doctest.DocTestParser().get_doctest(example.__doc__ or "", {}, name, None, None)
    output: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=output.append)
    assert not failed, "".join(output)
    assert tried or name in CLASSES


def test_points_give_the_images_of_their_seeds_and_gradients(place: Path) -> None:
    generator = ds.load_generator(place / "run", device="cpu")
    images = generator.sample(20, label="nevus", seed=3, truncation=0.7)
    points = generator.latents(20, label="nevus", seed=3, truncation=0.7).requires_grad_()
    drawn = generator.synthesise(points, label="nevus", seed=3)
    assert np.array_equal(to_bytes(drawn.detach()).transpose(0, 2, 3, 1), images)
    drawn[0].mean().backward()
    assert points.grad is not None
    assert points.grad[0].abs().sum() > 0
    assert points.grad[1:].abs().sum() == 0


def test_gradients_flow_where_a_family_has_no_styles(phantom: DataSet, tmp_path: Path) -> None:
    ds.train("dcgan", phantom, out=tmp_path / "run", images=8, batch=8, resolution=16, device="cpu")
    generator = ds.load_generator(tmp_path / "run", device="cpu")
    points = generator.latents(2, label="nevus", seed=4, truncation=0.9).requires_grad_()
    drawn = generator.synthesise(points, label="nevus", seed=4)
    images = generator.sample(2, label="nevus", seed=4, truncation=0.9)
    assert np.array_equal(to_bytes(drawn).transpose(0, 2, 3, 1), images)
    drawn.sum().backward()
    assert points.grad is not None
    assert points.grad.abs().sum() > 0


def test_a_checkpoint_is_a_generator_too(place: Path) -> None:
    run = ds.load_generator(place / "run", device="cpu")
    assert ds.load_generator(run) is run
    same = ds.load_generator(run.checkpoint.path, device="cpu")
    assert np.array_equal(same.sample(1, label="nevus"), run.sample(1, label="nevus"))


def test_a_renamed_checkpoint_and_one_beside_which_one_stands_are_opened(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(place / "run", tmp_path / "run")
    folder = max((tmp_path / "run" / "checkpoints").iterdir())
    monkeypatch.chdir(folder.parent)
    assert ds.load_generator(folder.name, device="cpu").run == tmp_path / "run"
    folder.rename(folder.with_name("chosen"))
    assert ds.load_generator(folder.with_name("chosen"), device="cpu").checkpoint.images == 16
    with pytest.raises(ds.UserError, match=r"`checkpoint` 4: .*chosen is the checkpoint of 16 images"):
        ds.load_generator("chosen", checkpoint=4, device="cpu")


def test_a_loaded_generator_is_no_other_one(place: Path) -> None:
    run = ds.load_generator(place / "run", device="cpu")
    assert ds.load_generator(run, checkpoint=16, device="cpu") is run
    with pytest.raises(ds.UserError, match=r"`checkpoint` best: .* is the checkpoint of 16 images"):
        ds.load_generator(run, checkpoint="best")
    with pytest.raises(ds.UserError, match="`device` cuda: the generator is on cpu"):
        ds.load_generator(run, device="cuda")


def test_only_points_without_a_class_need_a_label(place: Path) -> None:
    run = ds.load_generator(place / "run", device="cpu")
    points = run.latents(2, label="nevus")
    assert run.synthesise(points).shape == (2, 3, 32, 32)
    for call in (run.sample, run.latents):
        with pytest.raises(ds.UserError, match="`label` is missing; there are: melanoma, nevus, seborrheic_keratosis"):
            call(2)
    with pytest.raises(ds.UserError, match="`label` wart: no such class; there are: melanoma"):
        run.synthesise(points, label="wart")
    with pytest.raises(ds.UserError, match="`count` nevus=0"):
        run.sample(0, label="nevus")


def test_w_is_w_whatever_else_a_family_declares(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ds.load_generator(place / "run", device="cpu")
    expected = run.synthesise(run.latents(1, label="nevus"))
    monkeypatch.setattr(type(run.model), "style_weights", lambda model: [])
    assert np.array_equal(run.synthesise(run.latents(1, label="nevus")).detach(), expected.detach())


def test_a_run_is_as_good_as_its_generator(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    first, *_ = ds.directions("run", "pca", count=50, components=1)
    assert ds.edit("run", first, [0], label="nevus").shape == (1, 32, 32, 3)
    photograph = ds.open_dataset("data").images((32, 32))[0]
    assert ds.invert(place / "run", photograph, label="nevus", steps=1).image.shape == (32, 32, 3)


def test_one_label_may_be_a_text(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ds.UserError, match="wart"):
        ds.train("dcgan", place / "data", out=tmp_path / "run", images=8, resolution=16, exclude="wart", device="cpu")
    drawn = ds.open_dataset(place / "data").select(np.arange(600) < 2)
    assert len(ds.artefacts.insert(drawn, out=tmp_path / "framed", artefacts="frame", jobs=1)) == 2


def test_the_first_process_alone_looks_for_copies(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    monkeypatch.setattr("dermsynth.api.generators.check_copies", lambda synthetic, data, **_: looked.append(data))
    run = ds.load_generator(place / "run", device="cpu")
    ds.generate(run, out=tmp_path / "one", count=1)
    assert looked == [None]
    missing = "dermsynth.sampling.generate"
    monkeypatch.setattr(f"{missing}.distributed.rank", lambda: 1)
    ds.generate(run, out=tmp_path / "one", count=1)
    assert looked == [None]


def test_sampled_images_are_those_of_generate(place: Path) -> None:
    synthetic = ds.open_dataset(place / "synthetic")
    rows = synthetic.select((synthetic.labels == "melanoma") & (synthetic.table["seed"].astype(int) < 3).to_numpy())
    images = ds.load_generator(place / "run", device="cpu").sample(3, label="melanoma")
    assert np.array_equal(rows.images((32, 32)), images)
