"""Who trains together: variables of torchrun and SLURM, right, missing, wrong; and whom a process waits for."""

import logging
import os
import signal
import time

import pytest
import torch

from dermsynth.errors import UserError
from dermsynth.training import distributed
from dermsynth.training.distributed import Place, place_in_group
from tests.warm import Warm, free_port, start

MEETING = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
STEP = {"SLURM_STEP_ID": "0", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WORLD_SIZE": "1"},
        {"WORLD_SIZE": "1", "RANK": "0"},
        {"SLURM_NTASKS": "2", **MEETING},
        {"SLURM_NTASKS": "2", "SLURM_PROCID": "0", **MEETING},
        {"SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7", "SLURM_NPROCS": "8"},
        {**STEP, "SLURM_STEP_ID": "4294967291", **MEETING},  # the batch script
        {**STEP, "SLURM_STEP_ID": "4294967290", **MEETING},  # an interactive shell
        {**STEP, "SLURM_STEP_ID": "batch", **MEETING},
        {**STEP, "SLURM_STEP_ID": "", **MEETING},
        {**STEP, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", **MEETING},  # one task of a larger job
        {**STEP, "SLURM_NTASKS": "1"},
        STEP,  # tasks that know of no place to meet work alone
    ],
)
def test_alone(environment: dict[str, str]) -> None:
    assert place_in_group(environment) is None


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({**STEP, **MEETING}, Place(1, 2, "127.0.0.1", 29500)),
        ({**STEP, "SLURM_STEP_NUM_TASKS": "4", **MEETING}, Place(1, 4, "127.0.0.1", 29500)),
        ({"WORLD_SIZE": "3", "RANK": "2", **MEETING}, Place(2, 3, "127.0.0.1", 29500)),
        ({**STEP, "WORLD_SIZE": "3", "RANK": "2", **MEETING}, Place(2, 3, "127.0.0.1", 29500)),
    ],
)
def test_in_a_group(environment: dict[str, str], place: Place) -> None:
    assert place_in_group(environment) == place


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"RANK": "1"}, "RANK is set and WORLD_SIZE is not"),
        ({"WORLD_SIZE": "2"}, "RANK is not set"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "MASTER_ADDR is not set"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "x"}, "MASTER_PORT is not set"),
        ({"WORLD_SIZE": "two", "RANK": "0", **MEETING}, "WORLD_SIZE='two': must be a whole number of at least 1"),
        ({"WORLD_SIZE": "", "RANK": "0", **MEETING}, "WORLD_SIZE is not set"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE='0'"),
        ({"WORLD_SIZE": "2", "RANK": "-1", **MEETING}, "RANK='-1'"),
        ({"WORLD_SIZE": "2", "RANK": "2", **MEETING}, "RANK=2: must be less than WORLD_SIZE=2"),
        ({"WORLD_SIZE": "2", "RANK": "0", **MEETING, "MASTER_PORT": "http"}, "MASTER_PORT='http'"),
        ({"WORLD_SIZE": "2", "RANK": "0", **MEETING, "MASTER_PORT": "70000"}, "MASTER_PORT=70000: must be 1 to 65535"),
        ({**STEP, "MASTER_ADDR": "x"}, "MASTER_PORT is not set"),
        ({**STEP, "SLURM_PROCID": "5", **MEETING}, "SLURM_PROCID=5: must be less than SLURM_NTASKS=2"),
        ({**STEP, "SLURM_NTASKS": "many", **MEETING}, "SLURM_NTASKS='many'"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_or_misses_is_one_line(environment: dict[str, str], line: str) -> None:
    with pytest.raises(UserError) as caught:
        place_in_group(environment)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def _join() -> None:
    logging.basicConfig(level="INFO")
    try:
        distributed.start("cpu")
        print(int(distributed.total(torch.tensor(distributed.rank() + 1))), distributed.count())
    except UserError as error:
        print(error)
    finally:
        distributed.stop()


def _joining(**environment: str) -> Warm:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "MASTER", "WORLD", "RANK"))}
    return start(_join, environment={**clean, "MASTER_ADDR": "127.0.0.1", **environment})


def test_two_tasks_of_a_step_meet_and_lonely_ones_stop() -> None:
    """Two that meet; a first one and a second one whose partners never come; one whose place has no name: all at once."""
    meeting, first, second = str(free_port()), str(free_port()), str(free_port())
    pair = [_joining(**STEP | {"SLURM_PROCID": n}, MASTER_PORT=meeting, DERMSYNTH_WAIT="390") for n in "01"]
    lonely = [
        _joining(**STEP | {"SLURM_PROCID": "0"}, MASTER_PORT=first, DERMSYNTH_WAIT="3"),
        _joining(**STEP, MASTER_PORT=second, DERMSYNTH_WAIT="3"),
        _joining(**STEP, MASTER_PORT=second, DERMSYNTH_WAIT="3", MASTER_ADDR="no-such-host.invalid"),
    ]
    told = [process.communicate(timeout=400) for process in pair]
    assert [out for out, _ in told] == ["3 2\n"] * 2
    assert f"process 2 of 2: waiting for the others at 127.0.0.1:{meeting}" in told[1][1]
    for process in lonely:
        out, errors = process.communicate(timeout=400)
        assert "2 processes were to meet here within 3 seconds and did not" in out
        assert out.count("\n") == 1
        assert "frame #" not in errors
        assert "Traceback" not in errors


def test_a_batch_script_trains_alone_and_says_so() -> None:
    out, errors = _joining(SLURM_NTASKS="2", SLURM_PROCID="0", MASTER_PORT=str(free_port())).communicate(timeout=400)
    assert out == "1 1\n"
    assert "SLURM_NTASKS is 2, and this process was not started by srun: it works alone" in errors


def test_a_process_that_waits_hears_signals() -> None:
    process = _joining(**STEP | {"SLURM_PROCID": "0"}, MASTER_PORT=str(free_port()), DERMSYNTH_WAIT="3600")
    while "waiting for the others" not in process.output()[1]:
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=400) != 0


def test_the_patience_must_be_a_number() -> None:
    out, _ = _joining(**STEP, MASTER_PORT=str(free_port()), DERMSYNTH_WAIT="soon").communicate(timeout=400)
    assert out == "DERMSYNTH_WAIT='soon': must be a number of seconds above 0\n"


@pytest.mark.parametrize(
    ("environment", "visible", "own"),
    [
        ({}, 1, "cuda:0"),
        ({"LOCAL_RANK": "3"}, 4, "cuda:3"),
        ({"LOCAL_RANK": "3", "SLURM_LOCALID": "3"}, 4, "cuda:3"),
        ({"LOCAL_RANK": "3", "SLURM_LOCALID": "3"}, 1, "cuda:0"),
        ({"LOCAL_RANK": "1"}, 1, "cuda:1"),
    ],
)
def test_every_task_takes_its_own_gpu(environment: dict[str, str], visible: int, own: str) -> None:
    assert distributed.own_gpu(environment, visible) == own
