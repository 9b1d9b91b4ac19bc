"""For a process that must not reach the network: every attempt is refused and written into a file.

Python runs this at its start where the folder is on PYTHONPATH. An audit hook also sees sockets that go around Python's own class,
and the file also tells of attempts whose refusal was swallowed. DERMSYNTH_TEST_NETWORK_LOG names the file; with
DERMSYNTH_TEST_LOOPBACK=1 the machine may talk to itself, as verbs that serve pages do.
"""

import os
import sys

LOG, LOOPBACK = os.environ.get("DERMSYNTH_TEST_NETWORK_LOG", ""), os.environ.get("DERMSYNTH_TEST_LOOPBACK") == "1"
ADDRESS_AT = {"socket.connect": 1, "socket.bind": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0,
              "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}  # fmt: skip


def _harmless(address: object) -> bool:
    """A socket of the file system, one that is connected already, or this machine where it may talk to itself."""
    if address is None or (isinstance(address, (str, bytes)) and os.sep in os.fsdecode(address)):
        return True
    host = address[0] if isinstance(address, tuple) else address
    return LOOPBACK and (host == "localhost" or str(host).startswith("127.") or host == "::1")


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in ADDRESS_AT and not _harmless(arguments[ADDRESS_AT[event]]):
        with open(LOG, "a") as log:
            log.write(f"{event} {arguments[ADDRESS_AT[event]]!r}\n")
        raise PermissionError(f"no network here: {event} {arguments[ADDRESS_AT[event]]!r}")


if LOG:
    sys.addaudithook(_watch)
