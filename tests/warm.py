"""Processes of their own, forked from one that has imported torch already: to import it anew takes seconds."""

import atexit
import multiprocessing
import os
import resource
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx

PRELOADED = (
    "torch", "torch._dynamo", "torch.utils.tensorboard", "cv2", "pandas", "matplotlib.pyplot", "scipy.stats",
    "sklearn.linear_model", "skimage.metrics", "skimage.measure", "skimage.restoration", "pydantic",
    "dermsynth.cli.app", "dermsynth.training.loop", "dermsynth.evaluation.evaluate", "dermsynth.utility.experiment",
    "dermsynth.latents.entanglement", "dermsynth.report.run_report", "dermsynth.study.serve", "joblib", "uvicorn", "fastapi",
    "sqlalchemy", "dermsynth.api.artefacts", "dermsynth.api.audit", "dermsynth.api.evaluation", "dermsynth.api.generators",
    "dermsynth.api.training", "dermsynth.models.registry",
)  # fmt: skip
OFFLINE = Path(__file__).parent / "offline"
"""On PYTHONPATH, it keeps a process from the network."""
WAIT = 540
"""Seconds after which a process counts as stuck, on a machine however busy."""
SOURCES = os.pathsep.join(str(Path(__file__).parents[1] / part) for part in ("src", "."))
"""PYTHONPATH of a process that starts from nothing."""
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(list(PRELOADED))


@dataclass(frozen=True)
class Task:
    """What a process is to do, and the world in which it does it."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    environment: dict[str, str]
    streams: tuple[str, str]
    folder: str
    ignored: tuple[str, ...] = ()
    largest_file: int = 0


@dataclass
class Warm:
    """A process with what tests use of `subprocess.Popen`; its streams are files, so that it never waits for a reader."""

    process: BaseProcess
    streams: tuple[Path, Path]
    folder: "tempfile.TemporaryDirectory[str]" = field(repr=False)

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        if self.process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Exit status; raises subprocess.TimeoutExpired when it takes longer, and ends it."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
        return self.process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        return self.output()

    def output(self) -> tuple[str, str]:
        """Standard output and standard error so far."""
        out, errors = (path.read_text() if path.exists() else "" for path in self.streams)
        return out, errors


def start(
    function: Callable[..., Any], *arguments: Any, environment: Mapping[str, str] | None = None,
    ignored: Sequence[str] = (), largest_file: int = 0,
) -> Warm:  # fmt: skip
    """Call a function of a module in a process of its own; its exit status is the function's result, or 0 for None.

    `ignored` are names of signals that the process inherits as ignored, as nohup does; `largest_file` is in bytes.
    """
    folder = tempfile.TemporaryDirectory()
    streams = (Path(folder.name) / "stdout", Path(folder.name) / "stderr")
    whole = {**os.environ, "OMP_NUM_THREADS": "1"} if environment is None else dict(environment)
    task = Task(
        function, arguments, whole, (str(streams[0]), str(streams[1])), os.getcwd(), tuple(ignored), largest_file
    )
    process = CONTEXT.Process(target=_run, args=(task,))
    process.start()
    return Warm(process, streams, folder)


def start_group(function: Callable[..., Any], *arguments: Any, count: int = 2) -> list[Warm]:
    """The same call in `count` processes that meet at a free port of this machine, as under torchrun."""
    meeting = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    plain = {**os.environ, "OMP_NUM_THREADS": "1", **meeting}
    return [
        start(function, *arguments, environment={**plain, "RANK": str(n), "LOCAL_RANK": str(n)}) for n in range(count)
    ]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for_server(url: str, process: Warm) -> None:
    """Until a server answers at all."""
    deadline = time.monotonic() + WAIT
    with httpx.Client() as client:
        while time.monotonic() < deadline:
            try:
                client.get(url)
                return
            except httpx.TransportError:
                assert process.poll() is None, f"the server ended: {process.output()}"
                time.sleep(0.05)
    raise AssertionError(f"the server does not answer: {process.output()}")


def start_verb(*arguments: object, **options: Any) -> Warm:
    """`dermsynth ARGUMENTS`."""
    return start(verb, *map(str, arguments), **options)


def call(arguments: Sequence[str], environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """`dermsynth ARGUMENTS`: its streams and exit status.

    Raises subprocess.TimeoutExpired when it takes longer.
    """
    process = start_verb(*arguments, environment=environment)
    status = process.wait(timeout)
    return subprocess.CompletedProcess(list(arguments), status, *process.output())


def verb(*arguments: str) -> int:
    """The command line, in this process."""
    from dermsynth.cli.app import main

    sys.argv = ["dermsynth", *arguments]
    main()
    return 0


def _run(task: Task) -> None:
    for descriptor, path in zip((1, 2), task.streams, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
    os.chdir(task.folder)
    os.environ.clear()
    os.environ.update(task.environment)
    for name in task.ignored:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    if task.largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (task.largest_file, task.largest_file))
    if task.environment.get("DERMSYNTH_TEST_NETWORK_LOG"):
        runpy.run_path(str(OFFLINE / "sitecustomize.py"))
    status = _status(task)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _status(task: Task) -> int:
    import torch

    torch.set_num_threads(1)
    try:
        return int(task.function(*task.arguments) or 0)
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
