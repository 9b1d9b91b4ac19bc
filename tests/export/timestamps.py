"""A time-stamp authority for tests (RFC 3161): a small server that lets `openssl ts` answer."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.export.certificates import certificate, key_pair, write_chain, write_key

SETTINGS = """[clock]
serial = {0}/serial
signer_cert = {0}/clock.pem
certs = {0}/authority.pem
signer_key = {0}/clock.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


def _authority(folder: Path) -> Path:
    """Files of an authority; its settings."""
    root, own = key_pair(), key_pair()
    write_key(folder / "clock.key", own)
    write_chain(folder / "clock.pem", certificate("Test clock", "Test root", own, root, clock=True))
    write_chain(folder / "authority.pem", certificate("Test root", "Test root", root, root, ca=True))
    (folder / "serial").write_text("01")
    (folder / "settings.cnf").write_text(SETTINGS.format(folder))
    return folder / "settings.cnf"


@contextmanager
def time_stamp_authority(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    """The address of an authority on this machine, and the answers that it has given."""
    settings, answers = _authority(folder), list[bytes]()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = folder / f"{len(answers)}.tsq"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            command = ["openssl", "ts", "-reply", "-config", settings, "-section", "clock", "-queryfile", query]
            answers.append(subprocess.run(command, capture_output=True, check=True).stdout)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answers[-1])))
            self.end_headers()
            self.wfile.write(answers[-1])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", answers
    finally:
        server.shutdown()
        server.server_close()
