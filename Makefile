# Short names for the scripts in .ci/; all of them work without make.
.PHONY: start check wheel clean

start:  ## set everything up and open the sample project
	bash .ci/start

check:  ## set everything up and run ruff, mypy and the tests
	bash .ci/run

wheel:  ## build dist/mmstudio-*.whl
	.venv/bin/python -m build --wheel

clean:  ## remove the environment, the builds and the tools' caches
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
