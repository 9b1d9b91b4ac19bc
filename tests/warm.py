"""The program in a process of its own, forked from one that has imported torch already: to import it anew takes seconds."""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

PRELOADED = (
    "torch", "cv2", "pandas", "matplotlib.figure", "scipy.stats", "sklearn.linear_model", "skimage.metrics", "pydantic",
    "dermsynth.cli.app", "dermsynth.training.loop", "dermsynth.evaluation.evaluate", "dermsynth.utility.experiment",
    "dermsynth.latents.entanglement", "dermsynth.report.run_report",
)  # fmt: skip
OFFLINE = Path(__file__).parent / "offline"
"""On PYTHONPATH, it keeps a process from the network."""
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(list(PRELOADED))


def call(arguments: Sequence[str], environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """`dermsynth ARGUMENTS`: its streams and exit status.

    Raises subprocess.TimeoutExpired when it takes longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("stdout", "stderr")]
        process = CONTEXT.Process(
            target=_main, args=(list(arguments), dict(environment), *map(str, streams), os.getcwd())
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        return subprocess.CompletedProcess(list(arguments), process.exitcode, *(path.read_text() for path in streams))


def _main(arguments: Sequence[str], environment: Mapping[str, str], stdout: str, stderr: str, folder: str) -> None:
    for descriptor, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if environment.get("DERMSYNTH_TEST_NETWORK_LOG"):
        runpy.run_path(str(OFFLINE / "sitecustomize.py"))
    sys.argv = ["dermsynth", *arguments]
    status = _run()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _run() -> int:
    import traceback

    import torch

    from dermsynth.cli.app import main

    torch.set_num_threads(1)
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
