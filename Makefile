# The two commands a newcomer needs are `make demo` and `make test`; each installs what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench fuzz docs clean

demo: .venv/core
	mkdir -p demo
	$(BIN)/tsuzuki compare beijing --report demo/compare.html
	$(BIN)/tsuzuki fit beijing --horizon 24 -o demo/beijing.tsuzuki
	$(BIN)/tsuzuki forecast demo/beijing.tsuzuki --levels 80 --png demo/forecast.png

test: .venv/test
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/bench
	$(BIN)/python benchmarks/run.py

# A minute for each kind of input; `make fuzz SECONDS=600` for ten.
SECONDS ?= 60
fuzz: .venv/test
	$(BIN)/python tools/fuzz.py $(SECONDS)

docs: .venv/docs
	$(BIN)/python -m mkdocs build --strict

.venv/created:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

.venv/core: .venv/created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[compile,report]"
	touch $@

# One stamp for each set of extras: installed once, and again when pyproject.toml changes. The upper bounds of sktime
# would hold the others back, which it works with: it comes without what it asks for.
.venv/test .venv/lint .venv/bench .venv/docs: .venv/%: .venv/core
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	if [ $* = test ]; then $(BIN)/python -m pip install --quiet --no-deps "sktime>=1.2" scikit-base; fi
	touch $@

clean:
	rm -rf .venv
