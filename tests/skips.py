"""Where nothing may be missing, a test that was skipped has failed: `DERMSYNTH_REQUIRE_SHARED=1` says that it is so.

Only a skip whose reason begins with `by design: ` stays one.
"""

import os
from collections.abc import Generator

import pytest

VARIABLE, BY_DESIGN = "DERMSYNTH_REQUIRE_SHARED", "by design: "


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped(report)
    return report


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or os.environ.get(VARIABLE, "") in ("", "0"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(BY_DESIGN):
        report.outcome = "failed"
        report.longrepr = f"skipped although {VARIABLE} is set: {reason}"
