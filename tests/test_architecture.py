"""The shape of the house: who imports whom, and what no file does."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from support.history import MakeApp

import myapp

ROOT = Path(myapp.__file__).parent
FILES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
STANDARD = set(sys.stdlib_module_names)

#: The rooms of the engine, and what they are built of: each may import those named after it, and
#: the libraries that stand with it or with one below.
ROOMS: dict[str, tuple[list[str], set[str]]] = {
    "commands": (["run", "lock", "bridge", "database", "settings", "revisions", "base"], set()),
    "run": (["lock", "bridge", "database", "settings", "revisions", "base"], set()),
    "lock": (["bridge", "database", "settings", "revisions", "base"], set()),
    "bridge": (["database", "settings", "revisions", "base"], {"alembic"}),
    "database": (["settings", "revisions", "base"], {"sqlalchemy", "psycopg2"}),
    "settings": (["base"], {"plaster", "paste", "expandvars"}),
    "revisions": (["base"], set()),
    "base": ([], set()),
}
#: The public faces of the engine, which stand above its rooms. No room imports one.
FACES = {"config.py", "environment.py", "indexes.py", "pytest_plugin.py"}
#: The face for applications that run: the one part of the engine that knows the web framework.
WEB = "pyramid"
ENGINE = "myapp.migrator"


#: The modules of the command line: each may import those that stand below its own line.
SCRIPTS = [
    {"migrate"},
    {"more_commands"},
    {"history_graph"},
    {
        "drift_command",
        "file_commands",
        "plan_command",
        "repair_command",
        "scratch_command",
        "status_command",
        "verify_command",
    },
    {"verify_markdown"},
    {"verify_output"},
    {"cli"},
    {"group"},
    {"arguments"},
    {"asking", "completion", "questions"},
    {"session"},
    {"progress"},
    {"console"},
    {"plan_answer"},
    {"document", "endings", "forks", "output", "plan_trace"},
    {"invocation", "story"},
    {
        "durations",
        "imports",
        "log_handlers",
        "logs",
        "misnomers",
        "programs",
        "revision_text",
        "signals",
        "streams",
        "whole_files",
        "wrapping",
    },
]


def room_rules() -> Iterator[tuple[str, set[str]]]:
    for room, (below, libraries) in ROOMS.items():
        reached = libraries.union(*(ROOMS[other][1] for other in below))
        yield f"migrator/{room}/", reached | {f"{ENGINE}.{other}" for other in [room, *below]}
    everything = set().union(*(libraries for _, libraries in ROOMS.values()))
    for face in sorted(FACES):
        own = {"pytest"} if face == "pytest_plugin.py" else set()
        yield f"migrator/{face}", everything | own | {f"{ENGINE}.{room}" for room in ROOMS}
    inside = {f"{ENGINE}.{name}" for name in [WEB, *ROOMS]}
    yield f"migrator/{WEB}/", everything | {"jinja2", "pyramid", "pyramid_debugtoolbar"} | inside


#: What each part may import, besides the standard library.
ALLOWED = {
    **dict(room_rules()),
    "scripts/": {"click", "junitparser", "myapp", "myapp.scripts", "myapp.migrator"},
    "migrations/env.py": {f"{ENGINE}.environment"},
    "migrations/versions/": {"alembic", "sqlalchemy", f"{ENGINE}.indexes"},
    "models/": {"sqlalchemy", "pyramid", "myapp.models", "myapp.naming", "myapp.migrator"},
    "naming.py": set(),
}


def parts(prefix: str) -> list[str]:
    found = [name for name in FILES if name.startswith(prefix)]
    assert found
    return found


def walk_code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it, but for `if TYPE_CHECKING:`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from walk_code(child)


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text())


@cache
def imports(name: str) -> list[str]:
    """Return the modules that a file imports, those of this package by their full name.

    Imports for type hints alone are left out, since they don't run.
    """
    return list(_imports(name))


def _imports(name: str) -> Iterator[str]:
    package = ["myapp", *Path(name).parent.parts]
    for node in walk_code(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                yield str(node.module)
                continue
            base = package[: len(package) - node.level + 1]
            if node.module:
                yield ".".join([*base, node.module])
            else:
                yield from (".".join([*base, alias.name]) for alias in node.names)


def offending(names: Iterable[str], found: Callable[[str], Any]) -> dict[str, Any]:
    """Return the files in which something is found, with what it is."""
    return {name: what for name in names if (what := found(name))}


def is_allowed(module: str, allowed: set[str]) -> bool:
    root = module.partition(".")[0]
    if root != "myapp":
        return root in STANDARD | allowed
    if module == "myapp.__version__":
        return "myapp" in allowed
    return any(module == name or module.startswith(f"{name}.") for name in allowed - {"myapp"})


def test_imports_run_one_way() -> None:
    for part, allowed in ALLOWED.items():
        assert not offending(
            parts(part),
            lambda name, allowed=allowed: [m for m in imports(name) if not is_allowed(m, allowed)],
        )


def test_every_module_of_the_engine_stands_in_a_room_or_is_a_face() -> None:
    flat = {name for name in FILES if name.startswith("migrator/") and name.count("/") == 1}
    assert {name.partition("/")[2] for name in flat} == {"__init__.py", *FACES}
    rooms = {name.split("/")[1] for name in FILES if name.startswith("migrator/")} - FACES
    assert rooms - {"__init__.py"} == {*ROOMS, WEB}


def test_every_module_of_the_command_line_has_its_place() -> None:
    placed = [module for line in SCRIPTS for module in line]
    assert sorted(placed) == sorted(
        Path(name).stem for name in parts("scripts/") if "__" not in name
    )


def test_imports_of_the_command_line_run_one_way() -> None:
    for number, line in enumerate(SCRIPTS):
        below = set().union(*SCRIPTS[number + 1 :])
        for module in line:
            all_ = imports(f"scripts/{module}.py")
            own = {name for name in all_ if name.startswith("myapp.scripts.")}
            assert {name.split(".")[2] for name in own} - below == set(), module


def application_names(name: str) -> list[str]:
    """Return where a file of the engine names the application."""
    absolute = [module for module in imports(name) if not module.startswith("myapp.migrator")]
    written = [n.value for n in ast.walk(tree(name)) if isinstance(n, ast.Constant)]
    return [
        *(module for module in absolute if module.startswith("myapp")),
        *(text for text in written if isinstance(text, str) and "myapp" in text),
    ]


def test_the_engine_never_names_the_application() -> None:
    assert not offending(parts("migrator/"), application_names)


def printing(code: ast.AST) -> set[str]:
    """Return what prints in a file: the function `print`, and methods of standard streams."""
    called = [node.func for node in ast.walk(code) if isinstance(node, ast.Call)]
    written = {
        func.value.attr
        for func in called
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Attribute)
    }
    written |= {func.id for func in called if isinstance(func, ast.Name)}
    return written & {"print", "stdout", "stderr"}


def test_the_engine_never_prints() -> None:
    assert not offending(parts("migrator/"), lambda name: printing(tree(name)))


#: What has no public name. The file says why, and docs/architecture.md names its test.
PRIVATE = {
    "migrator/database/refusal.py": {"_psycopg"},
}


def private_names(tree: ast.AST) -> set[str]:
    """Return the names with one leading underscore that a file takes from something else."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    own |= {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    taken = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} - own
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            taken |= {alias.name for alias in node.names}
            taken |= set(str(node.module).split("."))
        elif isinstance(node, ast.Import):
            taken |= {part for alias in node.names for part in alias.name.split(".")}
    # These are documented: os._exit ends a process from any of its threads, and a named tuple has
    # the underscore to keep its fields' names free.
    return {name for name in taken if name.startswith("_") and not name.startswith("__")} - {
        *("_exit", "_replace", "_asdict")
    }


def test_nothing_private_of_others_is_used() -> None:
    assert offending(FILES, lambda name: private_names(tree(name))) == PRIVATE


def test_a_file_can_be_read_in_one_go() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert {name: length for name, length in lengths.items() if length >= 280} == {}


def test_every_module_says_what_it_is_for() -> None:
    named = parts("migrator/") + parts("scripts/")
    assert [name for name in named if not ast.get_docstring(tree(name))] == []


def test_the_rules_would_notice() -> None:
    """A rule that can't fail holds nothing."""
    assert not is_allowed("myapp.models", ALLOWED["migrations/versions/"])
    assert not is_allowed("myapp.migrator.config", ALLOWED["migrations/versions/"])
    assert not is_allowed("myapp.models", ALLOWED["scripts/"])
    assert not is_allowed("pyramid.config", ALLOWED["migrator/commands/"])
    assert not is_allowed("click", ALLOWED["migrator/commands/"])
    assert not is_allowed("myapp.migrator.run.plan", ALLOWED["migrator/bridge/"])
    assert not is_allowed("myapp.migrator.settings.ini", ALLOWED["migrator/revisions/"])
    assert not is_allowed("alembic.config", ALLOWED["migrator/database/"])
    assert not is_allowed("sqlalchemy.exc", ALLOWED["migrator/settings/"])
    assert is_allowed("myapp.migrator.run.plan", ALLOWED["scripts/"])
    assert is_allowed("os.path", ALLOWED["migrator/base/"])
    for code in ("config._config_file_path", "from alembic.script import _x", "import a._b"):
        assert private_names(ast.parse(code))
    for code in ("print(1)", "sys.stdout.write('x')", "self.stderr.write('x')"):
        assert printing(ast.parse(code))
    assert not private_names(ast.parse("class A:\n    _a: int = 0\n    def f(self): self._a"))


RUN = """
import sys
from myapp.scripts.migrate import main
status = [main([sys.argv[1], *command.split()]) for command in sys.argv[2:]]
print(*status, file=sys.stderr)
print(*{".".join(name.split(".")[:2]) for name in sys.modules})
"""


def imported_by(ini: Path, *commands: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, ini, *commands], capture_output=True, check=True, text=True
    )
    assert done.stderr.splitlines()[-1] == " ".join("0" for _ in commands), done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_no_command_that_changes_the_database_imports_the_application(
    make_app: MakeApp, sqlite_url: str
) -> None:
    """A migration must run against a database that the application's code can't use yet."""
    settings = {
        "alembic.script_location": "myapp:migrations",
        "alembic.target_metadata": "myapp.models:Base.metadata",
    }
    ini = make_app(sqlite_url, settings=settings)
    application = {"myapp.models", "myapp.views", "pyramid", "pkg_resources"}
    changing = ["upgrade", "current", "history", "downgrade base", "stamp heads"]
    assert application & imported_by(ini, *changing) == set()
    assert application & imported_by(ini, "stamp base", "upgrade", "check") == {"myapp.models"}
