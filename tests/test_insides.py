"""docs/architecture.md names each place that leans on a library's insides, and its test."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import myapp

ROOT = Path(__file__).parents[1]
PACKAGE = Path(myapp.__file__).parent
TEXT = (ROOT / "docs" / "architecture.md").read_text()
LIBRARIES = {"alembic", "sqlalchemy", "paste", "plaster", "click", "psycopg2", "expandvars"}


def rows() -> list[tuple[str, str, str, tuple[str, ...]]]:
    section = TEXT.partition("## Where this leans on others' insides")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        (place.strip("`"), what, version.strip("`"), tuple(re.findall("`(.+?)`", tests)))
        for place, what, version, tests in cells
    ]


def test_there_is_a_table() -> None:
    assert len(rows()) > 40


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_names_a_file_a_version_and_a_test(
    row: tuple[str, str, str, tuple[str, ...]],
) -> None:
    place, what, version, tests = row
    assert (PACKAGE / place).is_file()
    assert what.endswith(".")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"].values()
    assert version in project["dependencies"] or any(version in extra for extra in optional)
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in functions


def subclassing(path: Path) -> Iterator[str]:
    """Yield the classes of a file that have a library's class for a base."""
    tree = ast.parse(path.read_text())
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            imported |= {a.asname or a.name: str(node.module) for a in node.names}
        elif isinstance(node, ast.Import):
            imported |= {a.asname or a.name.partition(".")[0]: a.name for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = ast.unparse(base).partition(".")[0].partition("[")[0]
                if imported.get(name, "").partition(".")[0] in LIBRARIES:
                    yield node.name


def test_every_subclass_of_a_librarys_class_stands_in_a_file_that_is_listed() -> None:
    engine_and_face = [*(PACKAGE / "migrator").rglob("*.py"), *(PACKAGE / "scripts").glob("*.py")]
    found = {str(path.relative_to(PACKAGE)) for path in engine_and_face if any(subclassing(path))}
    assert {"migrator/bridge/planned_step.py", "scripts/group.py"} <= found
    assert found <= {place for place, *_ in rows()}


def test_every_room_is_described() -> None:
    rooms = {
        path.name for path in (PACKAGE / "migrator").iterdir() if (path / "__init__.py").exists()
    }
    assert {name for name in rooms if f"| `{name}/` |" in TEXT} == rooms


def test_a_hop_names_a_module_and_what_is_there() -> None:
    """`run/plan.py`, `plan_upgrade`: both exist."""
    hops = re.findall(r"`([\w/]+\.py)`,\s+`([\w.]+)`", TEXT.partition("## Where")[0])
    assert len(hops) > 20
    for path, name in hops:
        place = PACKAGE / path if path.startswith("scripts/") else PACKAGE / "migrator" / path
        defined = {
            node.name
            for node in ast.walk(ast.parse(place.read_text()))
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        assert set(name.split(".")) <= defined, (path, name)
