# Two commands: `make demo` and `make test`. Both install what they need into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo docs study-demo test test-slow lint bench bench-gpu clean

.venv/package: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/installed: .venv/package
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/package
	$(BIN)/dermsynth demo --out demo

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -m 'not slow' -n auto --dist loadfile

test-slow: .venv/installed
	$(BIN)/python -m pytest -m slow

docs: .venv/installed
	$(BIN)/python -m tools.docs

study-demo: .venv/installed
	$(BIN)/python -m tests.study.demo --out study-demo

bench: .venv/installed
	$(BIN)/python -m bench.run

bench-gpu: .venv/installed
	$(BIN)/python -m bench.gpu

clean:
	rm -rf .venv demo
