"""The documents beside the README: what they name is there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
DOCUMENTS = [
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(f"docs/{p.name}" for p in PROJECT.glob("docs/*.md")),
]
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text()
FOLDERS = ("myapp/", "tests/", "benchmarks/", "docs/", ".ci/")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_links_lead_to_files(name: str) -> None:
    document = PROJECT / name
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        assert link.startswith("https://") or (document.parent / link).exists(), link


def test_the_files_that_contributing_names_are_there() -> None:
    named = {
        word
        for code in re.findall(r"`([^`\n]+)`", CONTRIBUTING)
        for word in code.split()
        if word.startswith(FOLDERS)
    }
    assert len(named) > 10
    assert [word for word in sorted(named) if not (PROJECT / word).exists()] == []


@pytest.mark.parametrize("name", ["errors.py", "options.py", "alembic_options.py", "results.py"])
def test_each_module_is_in_the_room_that_contributing_names(name: str) -> None:
    room = {"errors.py": "base", "results.py": "base"}.get(name, "settings")
    assert f"`{name}`" in CONTRIBUTING
    assert (PROJECT / "myapp" / "migrator" / room / name).exists()


def test_contributing_names_every_variable_that_the_tests_read() -> None:
    read = {
        name
        for path in (PROJECT / "tests").rglob("*.py")
        for name in re.findall(r'environ\.get\(\s*"(MYAPP_\w+)"', path.read_text())
    }
    assert len(read) == 5
    assert set(re.findall(r"`(MYAPP_\w+)", CONTRIBUTING)) == read


def test_the_workflow_runs_every_version_of_python_from_the_oldest_on() -> None:
    workflow = (PROJECT / ".github" / "workflows" / "tests.yml").read_text()
    [versions] = re.findall(r'python: \["(3\.\d+)"((?:, "3\.\d+")*)\]', workflow)
    assert f'requires-python = ">={versions[0]}"' in (PROJECT / "pyproject.toml").read_text()
