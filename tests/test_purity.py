"""The pure packages: bytes and numbers in, bytes and numbers out."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import modeltrail

ROOT = Path(modeltrail.__file__).parent
PURE = ("events", "ledger", "drift", "lifecycle")
PRESENT = [name for name in PURE if (ROOT / name / "__init__.py").is_file()]

ALLOWED = {
    "events": {"modeltrail.errors", "modeltrail.events"},
    "ledger": {"modeltrail.errors", "modeltrail.events", "modeltrail.ledger"},
    "drift": {"modeltrail.errors", "modeltrail.events", "modeltrail.ledger", "modeltrail.drift"},
    "lifecycle": {"modeltrail.errors", "modeltrail.events", "modeltrail.ledger", "modeltrail.lifecycle"},
}
"""Of the project, each pure package may know these."""

FORBIDDEN = {
    "aiohttp", "aiokafka", "asyncio", "chdb", "clickhouse_connect", "concurrent", "confluent_kafka", "faust", "ftplib",
    "http", "httpx", "kafka", "mode", "multiprocessing", "random", "requests", "sched", "secrets", "selectors",
    "signal", "socket", "socketserver", "ssl", "subprocess", "threading", "time", "urllib", "urllib3", "uuid",
}  # fmt: skip
LOADED = {
    "aiohttp",
    "aiokafka",
    "asyncio",
    "chdb",
    "clickhouse_connect",
    "faust",
    "httpx",
    "mode",
    "requests",
    "ssl",
    "urllib3",
}
"""What must not even be loaded by way of another library. (pydantic itself loads uuid, typing tools and the like.)"""

CLOCKS = {"now", "today", "utcnow"}


def sources() -> list[Path]:
    return [path for name in PRESENT for path in sorted((ROOT / name).rglob("*.py"))]


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            names.add(node.module)
            if node.module == "modeltrail":
                names |= {f"modeltrail.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_pure_module_imports_no_kafka_store_http_clock_or_asyncio(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = ALLOWED[path.relative_to(ROOT).parts[0]]
    for name in imported(tree):
        assert name.split(".")[0] not in FORBIDDEN, name
        if name.split(".")[0] == "modeltrail":
            assert ".".join(name.split(".")[:2]) in allowed, name
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), "nothing here waits"
        called = node.func if isinstance(node, ast.Call) else None
        assert not (isinstance(called, ast.Attribute) and called.attr in CLOCKS), "no clock: time is an argument"


@pytest.mark.parametrize("package", PRESENT)
def test_importing_a_pure_package_loads_no_client_and_no_event_loop(package: str) -> None:
    program = (
        "import importlib, pkgutil, sys\n"
        f"package = importlib.import_module('modeltrail.{package}')\n"
        "for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & LOADED == set()


def test_the_contract_and_the_ledger_are_looked_at() -> None:
    assert {"events", "ledger"} <= set(PRESENT)
