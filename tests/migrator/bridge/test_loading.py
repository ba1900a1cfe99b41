"""Loading a history: which files run, and when."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import invoke, run
from support.database import heads
from support.history import MakeApp, Revision, add_revision, create_table

from myapp.migrator.base.errors import HistoryError
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.config import run_context

LINE = [
    Revision("aaa111", message="first", **create_table("a")),
    Revision("bbb222", "aaa111", message="second", **create_table("b")),
    Revision("ccc333", "bbb222", message="third", **create_table("c")),
]
#: Reports each file that Python compiles or executes (the events of sys.addaudithook).
SCRIPT = """\
import sys
heard = []
def hook(event, args):
    if event == "exec":
        heard.append(f"{event} {getattr(args[0], 'co_filename', '')}")
    elif event == "import" and args[0] in ("alembic", "sqlalchemy"):
        heard.append(f"import versions/{args[0]}")
    elif event == "compile":
        heard.append(f"{event} {args[1]}")
sys.addaudithook(hook)
from myapp.scripts.migrate import main
status = main()
print(*heard, sep="\\n", file=open("heard", "w"))
sys.exit(status)
"""


def revisions_heard(ini: Path, *arguments: str) -> list[tuple[str, str]]:
    """Run the command in a process of its own, and return whose files it executed or compiled.

    What it did comes first: `exec`, `compile` or `import`.
    """
    subprocess.run(
        [sys.executable, "-c", SCRIPT, ini, *arguments],
        check=True,
        cwd=ini.parent,
        env={
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        timeout=60,
        capture_output=True,
    )
    heard = (line.partition(" ") for line in (ini.parent / "heard").read_text().splitlines())
    paths = [(event, Path(name)) for event, _, name in heard]
    return [
        (event, path.stem.rstrip("_")) for event, path in paths if path.parent.name == "versions"
    ]


def files_run(ini: Path, *arguments: str) -> list[str]:
    return [name for event, name in revisions_heard(ini, *arguments) if event == "exec"]


def odd(app: Path, id_: str, down_revision: str) -> None:
    """Add a revision whose id only running its file tells."""
    path = add_revision(app.parent / "migrations", Revision(id_, down_revision))
    text = path.read_text().replace("import sqlalchemy as sa\nfrom alembic import op\n", "")
    path.write_text(text.replace(f"revision = {id_!r}", f"revision = str({id_!r})", 1))


def test_a_pending_revision_is_the_only_one_that_runs(make_app: MakeApp, database_url: str) -> None:
    app = make_app(database_url, LINE)
    assert invoke(app, "upgrade", "bbb222").returncode == 0

    assert files_run(app, "upgrade") == ["ccc333"]
    assert heads(database_url) == {"ccc333"}


@pytest.mark.parametrize(
    "command",
    [
        "current",
        "heads",
        "history",
        "branches",
        "show head",
        "upgrade",
        "wait",
        "stamp bbb222",
        "stamp --purge heads",
        "stamp --sql heads",
        "edit heads",
        "ensure-version",
        "downgrade --sql ccc333:ccc333",
    ],
)
def test_where_nothing_is_to_be_done_no_file_is_run_or_compiled(
    make_app: MakeApp,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    app = make_app(sqlite_url, LINE)
    assert invoke(app, "upgrade").returncode == 0
    for cache in (app.parent / "migrations").rglob("__pycache__"):
        shutil.rmtree(cache)

    heard = revisions_heard(app, *command.split())
    assert [name for event, name in heard if event != "import"] == []


@pytest.mark.parametrize("command", ["current", "heads", "upgrade"])
def test_an_env_py_of_its_own_makes_no_file_run(
    make_app: MakeApp, sqlite_url: str, command: str
) -> None:
    app = make_app(sqlite_url, LINE)
    env_py = app.parent / "migrations" / "env.py"
    env_py.write_text(env_py.read_text() + "print\n")
    assert invoke(app, "upgrade").returncode == 0

    assert files_run(app, command) == []


@pytest.mark.parametrize("settings", [{}, {"alembic.revision_environment": "true"}])
def test_a_merge_runs_the_file_that_it_writes(
    make_app: MakeApp, sqlite_url: str, settings: dict[str, str]
) -> None:
    app = make_app(sqlite_url, [*LINE, Revision("ddd444", "bbb222")], settings)

    (ran,) = files_run(app, "merge", "heads", "-m", "join", "--rev-id", "eee555")
    assert ran == "eee555_join"


def test_a_file_that_has_to_run_runs_once_and_alone(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, LINE)
    odd(app, "ddd444", "ccc333")

    assert files_run(app, "heads") == ["ddd444"]
    assert [name for event, name in revisions_heard(app, "heads") if event == "import"] == []
    assert invoke(app, "heads").stdout == "ddd444 (head), a change\n"
    assert invoke(app, "upgrade", "ccc333").returncode == 0
    assert files_run(app, "upgrade") == ["ddd444"]
    assert heads(sqlite_url) == {"ddd444"}


def test_a_file_without_a_revision_id_of_its_own_is_known_by_its_name(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, LINE)
    legacy = app.parent / "migrations" / "versions" / "ddd444.py"
    legacy.write_text("down_revision = 'ccc333'\ndef upgrade(): pass\ndef downgrade(): pass\n")

    history = load_history(run_context(app))

    assert history.heads() == ("ddd444",)
    assert history.script_of("ddd444").path == str(legacy)
    assert invoke(app, "upgrade").returncode == 0


def test_alembic_sees_the_same_revisions(make_app: MakeApp) -> None:
    app = make_app("sqlite://", LINE)
    odd(app, "ddd444", "ccc333")

    history = load_history(run_context(app))

    for script in history.script.walk_revisions():
        assert script is history.script_of(script.revision)
    assert history.script.get_current_head() == "ddd444"


@pytest.mark.parametrize("name", ["head", "heads", "base"])
def test_an_id_with_a_meaning_of_its_own_is_refused(make_app: MakeApp, name: str) -> None:
    app = make_app("sqlite://", [*LINE, Revision(name, "ccc333")])

    with pytest.raises(HistoryError) as raised:
        load_history(run_context(app))

    path = app.parent / "migrations" / "versions" / f"{name}_.py"
    assert raised.value.message == (
        f"Revision file {path} is called `{name}`, which has a meaning of its own."
    )
    assert raised.value.hint == "give it another `revision` or branch label."


#: What an import of a pending revision may raise, and what is said of it.
BROKEN_MODULES = {
    "raise RuntimeError('not today')": "RuntimeError: not today",
    "import sys; sys.exit(3)": "SystemExit: 3",
    "from os import no_such_name": "ImportError: cannot import name 'no_such_name' from 'os'",
    "def (": "SyntaxError: invalid syntax",
}


@pytest.mark.parametrize("command", ["upgrade", "upgrade --sql"])
@pytest.mark.parametrize("code", BROKEN_MODULES)
def test_a_pending_revision_whose_import_fails_is_told_with_its_file_and_line(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, code: str, command: str
) -> None:
    app = make_app(sqlite_url, LINE[:1], {"alembic.prepend_sys_path": str(tmp_path)})
    assert invoke(app, "upgrade").returncode == 0
    (app.parent / "helper_of_ours.py").write_text(code)
    path = add_revision(app.parent / "migrations", LINE[1])
    text = path.read_text()
    path.write_text(text.replace("import sqlalchemy", "import helper_of_ours\nimport sqlalchemy"))
    result = run(app, *command.split(), "--json")
    error = json.loads(result.stdout)["error"]
    assert (error["code"], result.returncode) == ("history", 2), error
    assert (error["paths"], error["line"]) == ([str(path)], 3)
    assert error["message"].startswith(
        f"Revision file {path} can't be loaded: line 3 raised {BROKEN_MODULES[code]}"
    )
    assert heads(sqlite_url) == {"aaa111"}


def test_a_syntax_error_is_told_with_its_line(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, LINE)
    path = add_revision(app.parent / "migrations", Revision("ddd444", "ccc333", upgrade="def ("))
    error = json.loads(invoke(app, "upgrade", "--json").stdout)["error"]
    assert (error["paths"], error["line"]) == ([str(path)], 13)


@pytest.mark.parametrize(
    "typed", ["heads", "current", "check", "upgrade", "revision", "merge heads"]
)
def test_a_fault_in_the_post_write_hooks_stops_only_what_writes_a_file(
    typed: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    hooks = "[post_write_hooks]\nhooks = black\nblack.options = -l 79 % x"
    ini = make_app(sqlite_url, [Revision("aaa111")], extra=hooks)
    result = invoke(ini, *typed.split())
    if typed in ("revision", "merge heads"):
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == (
            f"Error: `black.options` in [post_write_hooks] of {ini} has a `%` that can't be"
            " expanded.\n"
            "Hint:  write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT] or"
            " as NAME=VALUE after the .ini file.\n"
        )
        assert len(list((tmp_path / "migrations" / "versions").glob("*.py"))) == 1
    else:
        assert result.returncode == (3 if typed == "check" else 0), result.stderr


def test_a_context_that_has_read_has_the_hooks_when_it_writes(
    make_app: MakeApp, sqlite_url: str
) -> None:
    hooks = "[post_write_hooks]\nhooks = black\nblack.type = exec"
    context = run_context(make_app(sqlite_url, [Revision("aaa111")], extra=hooks))
    assert load_history(context).script.hooks == []
    assert load_history(context, writes="").script.hooks == [
        {"_hook_name": "black", "type": "exec"}
    ]


@pytest.mark.parametrize("name", ["Mars", "Europe", "../etc"])
def test_a_time_zone_that_is_not_known_stops_only_what_writes_a_file(
    name: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaa111")], {"alembic.timezone": name})
    for command in ("heads", "upgrade"):
        assert invoke(ini, command).returncode == 0
    result = invoke(ini, "revision")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: `alembic.timezone` is `{name}`, a time zone that is not known here, so a new"
        " revision can't be dated.\n"
        "Hint:  write a name such as `UTC` or `Europe/Berlin`; `pip install tzdata` brings all"
        " of them.\n"
    )
