"""A certificate authority for tests, and certificates that it issues."""

import datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
]


class Files(NamedTuple):
    """A chain of certificates and the signer's key, both PEM."""

    chain: Path
    key: Path


def key_pair() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    subject: str,
    issuer: str,
    key: Any,
    authority: Any,
    *,
    ca: bool = False,
    uses: bool = True,
    clock: bool = False,
    seconds: float = 2_592_000,
) -> x509.Certificate:
    """A certificate of `subject` that `authority`, called `issuer`, signs, and that is valid for so many `seconds`.

    Without `uses` it says not what it is for; that of a `clock` is for time stamps only.
    """
    now = datetime.datetime.now(datetime.UTC)
    allowed = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
    usage = {use: use in allowed for use in USES} | {"encipher_only": False, "decipher_only": False}
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(seconds=seconds))
        .add_extension(x509.BasicConstraints(ca, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False)
    )
    if uses:
        builder = builder.add_extension(x509.KeyUsage(**usage), True)
        if not ca:
            purpose = ExtendedKeyUsageOID.TIME_STAMPING if clock else ExtendedKeyUsageOID.EMAIL_PROTECTION
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), clock)
    return builder.sign(authority, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, text), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test")]
    )


def write_key(path: Path, key: Any) -> Path:
    private = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return path


def write_chain(path: Path, *certificates: x509.Certificate) -> Path:
    path.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates))
    return path


def signer(folder: Path, **options: Any) -> Files:
    """Files of a signer whose certificate an authority of its own issued."""
    root, own = key_pair(), key_pair()
    first = certificate("Dermatology lab", "Test root", own, root, **options)
    chain = write_chain(folder / "chain.pem", first, certificate("Test root", "Test root", root, root, ca=True))
    return Files(chain, write_key(folder / "key.pem", own))
