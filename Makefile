# Everything below works on a fresh machine with Python 3.11+ and make: the first run makes .venv from the locked
# versions, later runs reuse it until the lock or pyproject.toml changes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    := out
WORKERS ?= auto
UV     := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes -q --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help run test test-slow check lint types imports format bench lock wheel docs proto clean control-plane control-plane-run

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

$(READY): requirements/dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ullage needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY) ## Plan the bundled example cluster: print the plan, write the HTML report
	@mkdir -p $(OUT)
	$(BIN)/ullage plan examples/cluster.json.gz --report $(OUT)/plan.html
	@echo "The report is in $(OUT)/plan.html"

test: $(READY) ## Run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-slow: $(READY) ## Run the tests that take minutes each: acting on a control plane
	ULLAGE_SLOW=1 $(BIN)/python -m pytest tests/e2e_acting $(ARGS)

lint: $(READY) ## Check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY) ## Check types
	$(BIN)/mypy

imports: $(READY) ## Check the import contracts
	$(BIN)/lint-imports

check: lint types imports test ## Lint, types, import contracts, tests

format: $(READY) ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

bench: $(READY) ## Run the benchmarks and print their tables
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(READY) ## Write the documents that are made from the code
	$(BIN)/python -m docs

proto: $(READY) ## Write the gRPC code that is made from proto/
	PATH=$(abspath $(BIN)):$$PATH buf lint
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. --mypy_out=quiet:. \
		--mypy_grpc_out=quiet:. --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
		--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc proto/ullage/api/v1/*.proto

control-plane: $(READY) ## Build the Kubernetes that the tests run on, once (needs Go)
	$(BIN)/python -m tests.controlplane.building

control-plane-run: control-plane ## Run that Kubernetes until Ctrl-C
	@exec $(BIN)/python -m tests.controlplane $(ARGS)

wheel: $(READY) ## Build the wheel into dist/
	$(BIN)/python -m build --no-isolation --wheel

lock: ## Resolve the locked versions anew (needs uv)
	$(UV) --group dev --extra descheduler --extra exact --extra extender --extra kernel --extra live -o requirements/dev.lock
	$(UV) -o requirements/runtime.lock
	$(UV) --extra descheduler --extra exact --extra extender --extra live -o requirements/service.lock

clean: ## Remove what was made
	rm -rf $(VENV) $(OUT) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
