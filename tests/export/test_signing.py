"""Signed manifests: what they say, that a changed file is found, and certificates and keys that cannot sign."""

import builtins
import io
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dermsynth as ds
from dermsynth.errors import UserError
from dermsynth.export.signing import read_signing_key, sign_images, signature_of
from dermsynth.images import encode_png, read_image
from dermsynth.io import write_bytes
from tests.export.drawn import drawn

c2pa = pytest.importorskip("c2pa", reason="needs c2pa-python")
certificates = pytest.importorskip("tests.export.certificates", reason="needs cryptography")
Shell = Callable[..., subprocess.CompletedProcess[str]]
LIFE = 8.0
"""Seconds that a certificate is valid: long enough to sign three files on a busy machine."""


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return certificates.signer(tmp_path_factory.mktemp("signer"))


@pytest.fixture(scope="module")
def release(signer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    made = drawn(folder / "set", ["true"] + ["false"] * 11, side=32)
    ds.export(made, out=folder / "out", sign=signer)
    return folder / "out"


def test_every_image_says_in_a_signed_manifest_that_an_algorithm_made_it(release: Path) -> None:
    for path in (release / "images").iterdir():
        with c2pa.Reader("image/png", io.BytesIO(path.read_bytes())) as reader:
            document = json.loads(reader.json())
            assert reader.get_validation_state() == "Valid"
        manifest = document["manifests"][document["active_manifest"]]
        (action,) = manifest["assertions"][0]["data"]["actions"]
        assert action["digitalSourceType"].endswith("digitalsourcetype/trainedAlgorithmicMedia")
        assert manifest["claim_generator_info"][0]["name"] == "dermsynth"
        assert manifest["signature_info"]["common_name"] == "Dermatology lab"
    original = release.parent / "set" / "images"
    assert all((read_image(p) == read_image(original / p.name)).all() for p in (release / "images").iterdir())
    assert "every file holds a signed C2PA manifest" in (release / "README.md").read_text()


def test_signed_files_are_exact_and_intact(release: Path) -> None:
    result = ds.verify(release, registry=release)
    assert {(match.state, match.signature, match.signer) for match in result.matches} == {
        ("exact", "intact", "Dermatology lab")
    }
    assert result.ours
    assert "11 signed and unchanged" in result.text()


def test_a_signed_file_that_was_changed_is_found(release: Path, tmp_path: Path) -> None:
    data = bytearray((release / "images" / "05.png").read_bytes())
    place = data.index(b"IDAT") + 30
    data[place] ^= 1  # a pixel, and the chunk's checksum no longer fits
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "05.png").write_bytes(data)
    assert signature_of(bytes(data), ".png").state == "broken"
    text = (release / "images" / "06.png").read_bytes()
    (tmp_path / "images" / "06.png").write_bytes(_with_a_note(text))
    result = ds.verify(tmp_path, registry=release)
    assert [match.signature for match in result.matches] == ["broken", "broken"]
    assert result.matches[1].state == "altered"
    assert "changed after it was signed (assertion.dataHash.mismatch" in result.matches[1].note
    assert not result.ours


def _with_a_note(data: bytes) -> bytes:
    """A PNG with a text chunk behind its pixels."""
    import zlib

    chunk = b"tEXtComment\0another"
    return data[:-12] + (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[-12:]


def test_marks_in_xmp_stay_beside_the_manifest(signer: Any, tmp_path: Path) -> None:
    made = drawn(tmp_path / "set", ["false"] * 12)
    write_bytes(made.paths[0], encode_png(np.zeros((8, 8, 3), np.uint8), text={"seed": "7"}, synthetic=True))
    (made.folder / "files.csv").unlink()
    description = json.loads((made.folder / "dataset.json").read_text())
    (made.folder / "dataset.json").write_text(json.dumps({**description, "content_hash": "mine"}))
    out = ds.export(ds.open_dataset(made.folder), out=tmp_path / "out", sign=signer)
    with Image.open(out.paths[0]) as image:
        image.load()
        assert "trainedAlgorithmicMedia" in str(image.info["XML:com.adobe.xmp"])
        assert image.info["seed"] == "7"


def test_a_key_that_does_not_fit_is_one_line(signer: Any, tmp_path: Path) -> None:
    other = certificates.write_key(tmp_path / "other.pem", certificates.key_pair())
    with pytest.raises(UserError, match=r"`sign` .*other.pem: does not fit the certificate .*chain.pem"):
        ds.export(drawn(tmp_path / "set", ["false"] * 12), out=tmp_path / "out", sign=(signer.chain, other))
    assert not (tmp_path / "out").exists()


def test_certificates_that_cannot_sign_are_refused_before_anything_is_copied(signer: Any, tmp_path: Path) -> None:
    own = certificates.key_pair()
    key = certificates.write_key(tmp_path / "own.pem", own)
    itself = certificates.certificate("lab", "lab", own, own)
    chain = certificates.write_chain(tmp_path / "itself.pem", itself)
    with pytest.raises(UserError, match=r"issued by itself; C2PA wants one issued by an authority"):
        read_signing_key(chain, key)
    with pytest.raises(UserError, match=r"lacks the key usage"):
        read_signing_key(*certificates.signer(tmp_path, uses=False))
    for chain, key, words in (
        (signer.key, signer.key, "no certificate in PEM"), (signer.chain, signer.chain, "no private key in PEM"),
        (tmp_path / "nowhere", signer.key, r"the certificate cannot be read \(no such file"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            read_signing_key(chain, key)
    with pytest.raises(UserError, match=r"`timestamp` here: write the address"):
        read_signing_key(signer.chain, signer.key, "here")


def test_a_time_stamp_is_asked_for_each_image_and_outlives_the_certificate(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    from tests.export.timestamps import time_stamp_authority

    files = certificates.signer(tmp_path, seconds=LIFE)
    begin = time.monotonic()
    key = read_signing_key(*files)
    for name in ("plain", "stamped", "changed"):
        write_bytes(tmp_path / f"{name}.png", encode_png(np.zeros((32, 32, 3), np.uint8)))
    sign_images(tmp_path, ["plain.png", "changed.png"], key)
    with time_stamp_authority(tmp_path) as (address, answers):
        sign_images(tmp_path, ["stamped.png"], read_signing_key(*files, address))
    assert len(answers) == 1
    time.sleep(max(0, LIFE + 1 - (time.monotonic() - begin)))
    changed = _with_a_note((tmp_path / "changed.png").read_bytes())
    plain, stamped = (signature_of((tmp_path / f"{name}.png").read_bytes(), ".png") for name in ("plain", "stamped"))
    assert plain.state == "expired"
    assert "certificate has expired, and no time stamp" in plain.note
    assert (stamped.state, stamped.signer) == ("intact", "Dermatology lab")
    assert signature_of(changed, ".png").state == "broken"


def test_an_authority_that_does_not_answer_leaves_nothing_behind(signer: Any, tmp_path: Path) -> None:
    made = drawn(tmp_path / "set", ["false"] * 12, side=32)
    with pytest.raises(UserError, match=r"`sign`: images/00.png cannot be signed .*http://127.0.0.1:9/"):
        ds.export(made, out=tmp_path / "out", sign=signer, timestamp="http://127.0.0.1:9/")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="`timestamp`: goes with `sign`"):
        ds.export(made, out=tmp_path / "out", timestamp="http://127.0.0.1:9/")


def test_without_the_package_signing_is_refused_and_checking_says_so(
    release: Path, signer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "c2pa":
            raise ImportError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"c2pa-python is not installed; .*pip install 'dermsynth\[sign\]'"):
        read_signing_key(signer.chain, signer.key)
    result = ds.verify(release, registry=release)
    assert {match.signature for match in result.matches} == {"unchecked"}
    assert result.counts["exact"] == 11


def test_the_shell_signs(signer: Any, tmp_path: Path, shell: Shell) -> None:
    drawn(tmp_path / "set", ["false"] * 12)
    result = shell("export", tmp_path / "set", "--out", tmp_path / "out", "--sign", signer.chain, signer.key)
    assert "12 images, 0 flagged ones left out, signed; licence: CC0-1.0" in result.stdout
    assert "12 signed and unchanged" in shell("verify", tmp_path / "out", "--registry", tmp_path / "out").stdout
