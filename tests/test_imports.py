"""What each command imports, and which part of the package may know which."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.command import invoke

import myapp

PACKAGE = Path(myapp.__file__).parent
# All commands but `init`, which needs no import that another doesn't: each with what it is given.
QUICK = [
    ["current"],
    ["status"],
    ["history"],
    ["upgrade"],
    ["wait"],
    ["heads"],
    ["branches"],
    ["show", "head"],
]
READING = [
    ["history", "-r", "base:head"],
    ["list-templates"],
    ["upgrade", "--sql"],
    ["plan"],
]
WRITING = [
    ["downgrade", "-1"],
    ["stamp", "head"],
    ["ensure-version"],
    ["repair"],
    ["revision", "-m", "more"],
    ["edit", "head"],
    ["drift"],
    ["scratch", "--", "true"],
]
COMPARING = [["check"], ["verify"], ["revision", "--autogenerate", "-m", "more"]]

#: What libraries import at their tops and an answer doesn't need; and what these import in turn.
HARDLY_USED = {"importlib.metadata", "email", "zipfile", "tempfile", "csv"}
if sys.version_info < (3, 13):  # from then on, each dataclass asks `inspect` for its annotations
    HARDLY_USED |= {"inspect", "dis"}
#: What an answer in plain text needs only where it logs or fails.
FOR_LOGS_AND_ERRORS = {"json", "logging", "traceback"}

SCRIPT = """\
import sys
from myapp.scripts.migrate import main
status = main()
print(*sys.modules, sep="\\n", file=open("modules", "w"))
sys.exit(status)
"""


def imported(folder: Path, *arguments: str) -> set[str]:
    """Run the command in a process of its own, and return the names of all loaded modules."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env={**os.environ, "EDITOR": "true", "PYTHONPATH": str(folder)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set((folder / "modules").read_text().split())


def packages(modules: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the package and its .ini file, since some commands write revision files."""
    shutil.copytree(PACKAGE, tmp_path / "myapp")  # with its bytecode, which is good for the copy
    shutil.copy(PACKAGE.parent / "development.ini", tmp_path)
    return tmp_path


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_neither_alembic_nor_sqlalchemy_nor_pyramid(
    option: str, tmp_path: Path
) -> None:
    modules = imported(tmp_path, option)

    assert "click" in modules
    assert not modules & {"alembic", "mako", "paste.deploy", "plaster", "pyramid", "sqlalchemy"}
    assert not modules & (HARDLY_USED | FOR_LOGS_AND_ERRORS)


@pytest.mark.parametrize("words", ["", "development.ini ", "development.ini downgrade "])
def test_a_completion_imports_neither_alembic_nor_sqlalchemy(
    words: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke(project / "development.ini", "upgrade").returncode == 0
    monkeypatch.setenv("_MYAPP_MIGRATE_COMPLETE", "fish_complete")
    monkeypatch.setenv("COMP_WORDS", f"myapp-migrate {words}")
    monkeypatch.setenv("COMP_CWORD", "")
    modules = imported(project)

    assert "click.shell_completion" in modules
    assert not modules & {"alembic", "mako", "pyramid", "sqlalchemy", "myapp.models"}


def test_the_help_of_a_command_imports_no_more(tmp_path: Path) -> None:
    modules = imported(tmp_path, "app.ini", "upgrade", "--help")

    assert not modules & {"alembic", "paste.deploy", "sqlalchemy"}


@pytest.mark.parametrize("arguments", [*READING, *WRITING], ids=" ".join)
def test_a_command_imports_neither_pyramid_nor_a_model(arguments: list[str], project: Path) -> None:
    assert invoke(project / "development.ini", "upgrade").returncode == 0
    modules = imported(project, "development.ini", *arguments)

    assert "alembic.config" in modules
    assert not modules & {"pkg_resources", "pyramid", "webob"}
    assert not modules & {"myapp.models", "myapp.views", "sqlalchemy.orm"}


@pytest.mark.parametrize("arguments", QUICK, ids=" ".join)
def test_where_nothing_is_pending_alembic_and_sqlalchemy_stay_away(
    arguments: list[str], project: Path
) -> None:
    assert invoke(project / "development.ini", "upgrade").returncode == 0
    modules = imported(project, "development.ini", *arguments)

    assert "myapp.migrator.commands.quick" in modules
    assert not modules & {"alembic", "mako", "pyramid", "sqlalchemy", "myapp.models"}
    assert not modules & HARDLY_USED


def test_an_answer_imports_no_logging_where_the_ini_file_has_no_logging_sections(
    project: Path,
) -> None:
    ini = project / "development.ini"
    ini.write_text(ini.read_text().partition("[loggers]")[0])
    assert invoke(ini, "upgrade").returncode == 0
    modules = imported(project, "development.ini", "upgrade")

    assert not modules & FOR_LOGS_AND_ERRORS


def test_completion_of_a_revision_imports_no_more_than_history(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_MYAPP_MIGRATE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "myapp-migrate\ndevelopment.ini\nshow\n")
    monkeypatch.setenv("COMP_CWORD", "3")
    modules = imported(project)

    assert "myapp.migrator.commands.quick" in modules
    assert not modules & {"alembic", "mako", "pyramid", "sqlalchemy", "myapp.models"}
    assert not modules & HARDLY_USED


@pytest.mark.parametrize("arguments", COMPARING, ids=" ".join)
def test_a_command_that_compares_imports_the_models_and_still_no_pyramid(
    arguments: list[str], project: Path
) -> None:
    assert invoke(project / "development.ini", "upgrade").returncode == 0
    modules = imported(project, "development.ini", *arguments)

    assert "myapp.models" in modules
    assert not modules & {"pkg_resources", "pyramid", "webob"}


def test_a_pending_upgrade_imports_no_model(project: Path) -> None:
    modules = imported(project, "development.ini", "upgrade")

    assert (project / "myapp.sqlite").exists()
    assert not modules & {"myapp.models", "pyramid", "sqlalchemy.orm"}


def test_no_command_imports_pygments_for_pages_of_errors_that_it_never_shows(
    project: Path,
) -> None:
    pytest.importorskip("pygments", reason="Mako imports it only where it is installed")
    modules = imported(project, "development.ini", "upgrade")

    assert "mako.exceptions" in modules
    assert not modules & {"mako.ext.pygmentplugin", "pygments"}


def test_mako_finds_its_colors_when_a_command_has_ended() -> None:
    script = (
        "from myapp.scripts.migrate import main; main(['--version']);"
        "import mako.exceptions; print(mako.exceptions.syntax_highlight.__module__)"
    )
    pytest.importorskip("pygments", reason="without it, Mako has no colors")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, encoding="utf-8"
    )

    assert done.stdout.splitlines()[-1] == "mako.ext.pygmentplugin"


def test_what_is_hardly_used_is_there_when_it_is_used() -> None:
    script = """
import sys, myapp.scripts
from myapp.scripts.imports import postpone, postpone_no_longer
assert "inspect" not in sys.modules
postpone()
import inspect as early, importlib.metadata
from importlib import metadata
import plaster
postpone_no_longer()
assert {"inspect", "importlib.metadata"}.isdisjoint(sys.modules)
import inspect
assert early is not inspect and early.signature is inspect.signature
assert metadata.version("click") == importlib.metadata.version("click")
assert plaster.get_loader(sys.argv[1], protocols=["wsgi"]).get_sections()
assert type(sys.modules["importlib.metadata"]) is type(sys)
"""
    ini = PACKAGE.parent / "development.ini"
    done = subprocess.run([sys.executable, "-c", script, ini], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def imports(path: Path) -> set[str]:
    """Return every module that the file imports, by its full name."""
    found = set()
    here = [PACKAGE.name, *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "migrator").glob("*.py")), ids=lambda path: path.stem
)
def test_the_engine_knows_neither_the_application_nor_the_terminal(path: Path) -> None:
    own = {name for name in imports(path) if name.startswith("myapp")}

    assert not {name for name in own if not name.startswith("myapp.migrator")}
    assert "myapp" not in path.read_text().replace("yourapp", "")
    assert packages(imports(path)).isdisjoint({"click", "pyramid"})


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "scripts").glob("*.py")), ids=lambda path: path.stem
)
def test_the_command_line_knows_the_engine_and_not_the_application(path: Path) -> None:
    own = {name for name in imports(path) if name.startswith("myapp.")}

    assert not {
        name
        for name in own - {"myapp.__version__"}
        if not name.startswith(("myapp.migrator", "myapp.scripts"))
    }


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "migrations/versions").glob("*.py")), ids=lambda path: path.stem
)
def test_a_revision_imports_alembic_and_sqlalchemy_only(path: Path) -> None:
    assert packages(imports(path)) <= {"alembic", "collections", "sqlalchemy"}


def test_env_py_imports_the_engine_and_takes_no_decision() -> None:
    tree = ast.parse((PACKAGE / "migrations/env.py").read_text())

    assert imports(PACKAGE / "migrations/env.py") == {
        "myapp.migrator.environment",
        "myapp.migrator.environment.run_migrations",
    }
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.FunctionDef)]
