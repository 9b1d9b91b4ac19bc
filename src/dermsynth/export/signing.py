"""Signed C2PA manifests in image files: written with a certificate and its key, and checked. Needs c2pa-python.

References
----------
C2PA Technical Specification 2: https://spec.c2pa.org; certificates: section on trust and X.509 profiles.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dermsynth import __version__
from dermsynth.errors import UserError
from dermsynth.images import read_bytes
from dermsynth.io import write_bytes
from dermsynth.progress import progress_bar

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Signature = Literal["", "intact", "expired", "broken", "unchecked"]
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MADE = "trainedAlgorithmicMedia"
SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_timestamp_trust": False},
    "builder": {"thumbnail": {"enabled": False}},
}
"""No network, no list of trusted time stamps (as of signers), and no second copy of the image in the manifest."""
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
MISSING = "c2pa-python is not installed; signatures need the extra: pip install 'dermsynth[sign]'"
UNTRUSTED, EXPIRED = "signingCredential.untrusted", "signingCredential.expired"
_MARKS = (b"jumb", b"c2pa")
"""Bytes that every file with a manifest has."""


class Seal(NamedTuple):
    """The signature of a file: its state, whom the certificate names, and what to say of it."""

    state: Signature = ""
    signer: str = ""
    note: str = ""


@dataclass(frozen=True)
class SigningKey:
    """A chain of certificates and the key of the first, both as PEM, and the algorithm that they are for.

    `timestamp` is the address of a time-stamp authority, which is asked once an image; without it the network is not touched.
    """

    chain: bytes
    key: bytes
    algorithm: str
    timestamp: str = ""


def read_signing_key(certificate: Path, key: Path, timestamp: str = "") -> SigningKey:
    """Read and check what images are signed with.

    Raises UserError where c2pa-python is missing, a file is none of its kind, the key does not fit the certificate, or the
    certificate cannot sign manifests.
    """
    _library()
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    chain, secret = _read(certificate, "certificate"), _read(key, "key")
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise UserError(f"`sign` {certificate}: no certificate in PEM") from error
    try:
        private = serialization.load_pem_private_key(secret, password=None)
    except (ValueError, TypeError) as error:
        raise UserError(f"`sign` {key}: no private key in PEM without a password") from error
    if private.public_key() != certificates[0].public_key():
        raise UserError(
            f"`sign` {key}: does not fit the certificate {certificate} (the signer's must stand first in it)"
        )
    _check_use(certificates, certificate)
    if timestamp and not timestamp.startswith(("http://", "https://")):
        raise UserError(f"`timestamp` {timestamp}: write the address of a time-stamp authority, http:// or https://")
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(chain, pem, _algorithm(private, key), timestamp)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"`sign` {path}: the {what} cannot be read ({str(error.strerror).lower()})") from error


def _algorithm(private: Any, path: Path) -> str:
    """The signature algorithm of C2PA for a private key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in CURVES:
        return CURVES[private.curve.name]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return "ps256"
    raise UserError(
        f"`sign` {path}: a key of another kind; use an elliptic curve (P-256, P-384, P-521), Ed25519 or RSA"
    )


def _check_use(certificates: Sequence["Certificate"], path: Path) -> None:
    """Raise UserError for a certificate that C2PA does not let sign: issued by itself, or of no use for it."""
    from cryptography import x509

    first = certificates[0]
    if first.issuer == first.subject:
        raise UserError(
            f"`sign` {path}: the signer's certificate is issued by itself; C2PA wants one issued by an authority, whose "
            "certificate follows it in the file"
        )
    try:
        first.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        usage = first.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise UserError(
            f"`sign` {path}: the signer's certificate lacks the key usage (digitalSignature) or extended key usage "
            "(emailProtection, or C2PA's own) that C2PA asks for"
        ) from error
    if not usage.digital_signature:
        raise UserError(f"`sign` {path}: the signer's certificate is not for digital signatures")


def sign_images(folder: Path, names: Sequence[str], key: SigningKey, source_type: str = MADE) -> None:
    """Put a signed manifest into image files: made by a trained algorithm, by this program; their pixels stay as they are.

    Raises UserError where one cannot be signed.
    """
    c2pa = _library()
    info = c2pa.C2paSignerInfo(key.algorithm, key.chain, key.key, key.timestamp or None)
    bar = progress_bar(names, total=len(names), label="signing", unit="img")
    for name in bar:
        path = folder / name
        try:
            signer = c2pa.Signer.from_info(info)
            write_bytes(path, _signed(read_bytes(path), path, signer, source_type))
        except c2pa.C2paError as error:
            raise UserError(f"`sign`: {name} cannot be signed ({error})") from error


def _signed(data: bytes, path: Path, signer: Any, source_type: str) -> bytes:
    with _library().Builder(manifest(path.name, media_type(path.suffix), source_type), _context()) as builder:
        out = io.BytesIO()
        builder.sign(signer, media_type(path.suffix), io.BytesIO(data), out)
    return out.getvalue()


def manifest(title: str, kind: str, source_type: str) -> dict[str, Any]:
    """The claims of a manifest: the program, and that a trained algorithm created the image."""
    program = {"name": "dermsynth", "version": __version__}
    action = {"action": "c2pa.created", "digitalSourceType": f"{SOURCE_TYPES}{source_type}", "softwareAgent": program}
    return {
        "claim_generator_info": [program],
        "title": title,
        "format": kind,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }


def media_type(suffix: str) -> str:
    """The media type of an image file's ending."""
    return guess_type(f"image{suffix.lower()}")[0] or "application/octet-stream"


def signature_of(data: bytes, suffix: str) -> Seal:
    """The signature in an image file, and whether the file is as it was when it was signed."""
    if not all(mark in data for mark in _MARKS):
        return Seal()
    try:
        c2pa = _library()
    except UserError as error:
        return Seal("unchecked", note=str(error))
    try:
        with c2pa.Reader(media_type(suffix), io.BytesIO(data), context=_context()) as reader:
            document, state = json.loads(reader.json()), reader.get_validation_state()
    except c2pa.C2paError as error:
        if str(error).startswith("ManifestNotFound"):
            return Seal()
        return Seal("broken", note=f"its manifest is damaged ({error})")
    active = document.get("manifests", {}).get(document.get("active_manifest"), {})
    details = active.get("signature_info", {})
    signer = str(details.get("common_name") or details.get("issuer") or "")
    return Seal("intact", signer) if state != "Invalid" else _invalid(document, signer)


def _invalid(document: dict[str, Any], signer: str) -> Seal:
    """What does not hold, other than that the signer is in no list of trusted ones."""
    codes = dict.fromkeys(str(row.get("code")) for row in document.get("validation_status") or [])
    codes.pop(UNTRUSTED, None)
    if list(codes) == [EXPIRED]:
        return Seal(
            "expired", signer, "the signer's certificate has expired, and no time stamp says that it was signed before"
        )
    reason = f" ({', '.join(codes)})" if codes else ""
    return Seal("broken", signer, f"changed after it was signed{reason}")


@cache
def _context() -> Any:
    return _library().Context.from_dict(SETTINGS)


def _library() -> Any:
    """The package c2pa; UserError where it is missing."""
    try:
        import c2pa
        import cryptography  # noqa: F401
    except ImportError as error:
        raise UserError(f"`sign`: {MISSING}") from error
    return c2pa
