import pytest

from tests import skips

pytest_plugins = ["pytester"]

TESTS = """
    import pytest

    @pytest.fixture
    def absent():
        pytest.skip("no such file")

    def test_by_its_fixture(absent): ...
    def test_by_itself(): pytest.skip("not today")
    def test_by_a_package(): pytest.importorskip("no_such_package")
    @pytest.mark.skipif(True, reason="not here")
    def test_by_a_mark(): ...
    def test_by_design(): pytest.skip("by design: cannot be")
    @pytest.mark.xfail
    def test_expected(): assert False
    def test_whole(): ...
"""


@pytest.mark.parametrize(("value", "skipped", "failed", "errors"), [("", 5, 0, 0), ("0", 5, 0, 0), ("1", 1, 2, 2)])
def test_a_skip_is_a_failure_where_nothing_may_be_missing(
    value: str, skipped: int, failed: int, errors: int, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(skips.VARIABLE, value)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "tests.skips", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, xfailed=1, skipped=skipped, failed=failed, errors=errors)


def test_a_module_that_skips_itself_fails_too(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(skips.VARIABLE, "1")
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_package')\ndef test_never(): ...")
    result = pytester.runpytest_inprocess("-p", "tests.skips", "-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*skipped although DERMSYNTH_REQUIRE_SHARED is set: *no_such_package*"])
