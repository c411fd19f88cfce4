"""TLS certificates of a cluster: whoever has the key takes part, and nobody else.

A scheduler runs whatever code it is sent. So scheduler, workers and clients all show the one certificate that
`make_certificates` writes, signed by an authority whose key is thrown away, and believe no other.
"""

import datetime
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

AUTHORITY, CERTIFICATE, KEY = "ca.pem", "certificate.pem", "key.pem"
FILES = (AUTHORITY, CERTIFICATE, KEY)
DAYS = 3650  # for which the certificate holds
MAKE = "`python -m tasks cluster certificates` makes them"
ALL = "every machine of a cluster needs the certificates that one of them has made"
CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # of a scheduler that just ended


def make_certificates(folder: Path) -> None:
    """Write an authority, and a certificate with its key, into `folder`, readable by this user alone.

    Raises:
        UserError: there are certificates already: machines that have them would be locked out.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    if any((folder / name).exists() for name in FILES):
        raise UserError(f"{folder} has certificates already: copy them to the other machines, or delete them first")
    now = datetime.datetime.now(datetime.timezone.utc)

    def build(name: str, key: Any, issuer: str, signer: Any, *, authority: bool) -> Any:
        named = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
        subject, issued_by = named
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issued_by).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=DAYS))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        return builder.sign(signer, hashes.SHA256())

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = build("ganmill cluster authority", root_key, "ganmill cluster authority", root_key, authority=True)
    own = build("ganmill cluster", key, "ganmill cluster authority", root_key, authority=False)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    contents = {
        AUTHORITY: root.public_bytes(pem),
        CERTIFICATE: own.public_bytes(pem),
        KEY: key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)


def read_certificates(folder: Path) -> dict[str, str]:
    """The contents of the certificates in `folder`, by the names that `distributed.Security` gives them.

    Raises:
        UserError: a file is missing, is no certificate or key, or they are not of each other.
    """
    texts = {}
    for name in FILES:
        try:
            texts[name] = (folder / name).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{folder / name} cannot be read ({error}); {MAKE}, and each machine needs them") from None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(folder / AUTHORITY)
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    except ssl.SSLError as error:
        what = error.reason or str(error)
        raise UserError(f"{folder} has no certificates that can be used ({what}); {ALL}") from None
    contents = {"key": texts[KEY], "cert": texts[CERTIFICATE]}
    sides = ("scheduler", "worker", "client")
    return {
        "tls_ca_file": texts[AUTHORITY],
        **{f"tls_{side}_{kind}": content for side in sides for kind, content in contents.items()},
    }


def are_refused(error: BaseException) -> bool:
    """Whether a connection failed because of the certificates of one of its ends."""
    return any(isinstance(each, ssl.SSLError) and not isinstance(each, CUT) for each in causes_of(error))


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """An error and what it follows from, the root last."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
