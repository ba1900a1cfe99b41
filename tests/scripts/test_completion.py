"""Completion, in a real bash and by what zsh and fish are given."""

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.command import SCRIPTS, invoke, run
from support.history import MakeApp, Revision, add_revision

from myapp.scripts.migrate import cli

VARIABLE = "_MYAPP_MIGRATE_COMPLETE"
REVISIONS = [
    Revision("aaaa1", message="create a"),
    Revision("aabb2", "aaaa1", "create b: a table", branch_labels="side"),
]


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    return make_app(sqlite_url, REVISIONS)


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what bash is given for the words of a line, of which the last is being typed."""

    def complete(*words: str | Path, for_shell: str = "bash") -> list[str]:
        monkeypatch.setenv(VARIABLE, f"{for_shell}_complete")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["myapp-migrate", *map(str, words)]))
        current = str(words[-1]) if for_shell == "fish" else str(len(words))
        monkeypatch.setenv("COMP_CWORD", current)
        result = invoke()
        assert result.stderr == ""
        # Click ends even an empty list with a line's end.
        return [line for line in result.stdout.split("\n") if line]

    return complete


Complete = Callable[..., list[str]]


def values(lines: list[str]) -> set[str]:
    assert all(line.startswith("plain,") for line in lines), lines
    return {line.removeprefix("plain,") for line in lines}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with other things than .ini files, in which the command line is typed."""
    folder = tmp_path / "folder"
    (folder / "conf").mkdir(parents=True)
    (folder / "dir.ini").mkdir()
    for name in ("development.ini", "production.ini", "dev.txt", ".own.ini", "conf/shop.ini"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ["plain,development.ini", "plain,production.ini"]),
        ("dev", ["plain,development.ini"]),
        ("./p", ["plain,./production.ini"]),
        ("conf/", ["plain,conf/shop.ini"]),
        (".", ["plain,.own.ini"]),
        ("con", ["file,con"]),
        ("nowhere/", ["file,nowhere/"]),
    ],
)
def test_ini_files_are_offered_first_and_then_what_the_shell_offers(
    complete: Complete, folder: Path, typed: str, expected: list[str]
) -> None:
    assert complete(typed) == expected


def test_a_name_that_the_shell_has_to_quote_is_left_to_it(complete: Complete, folder: Path) -> None:
    (folder / "my shop.ini").touch()
    assert complete("") == ["file,"]


def test_the_environments_ini_file_is_enough_for_commands_and_revisions(
    complete: Complete, ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYAPP_MIGRATE_INI", str(ini))
    monkeypatch.chdir(ini.parent)
    assert complete("up") == ["plain,upgrade"]
    assert complete("a") == ["plain,app.ini"]
    assert values(complete("upgrade", "aab")) == {"aabb2"}
    assert values(complete("db=test", "upgrade", "aab")) == {"aabb2"}


def test_a_downgrade_is_offered_its_steps(complete: Complete, ini: Path) -> None:
    assert invoke(ini, "upgrade").returncode == 0
    told = ["-1", "back to aaaa1 (create a)", "-2", "back to base"]
    for typed in ("", "-"):
        offered = complete(ini, "downgrade", typed, for_shell="zsh")
        assert [line for line in offered if line != "plain"][:4] == told
    assert complete(ini, "downgrade", "-2") == ["plain,-2"]
    assert values(complete(ini, "downgrade", "--y")) == {"--yes"}
    assert not [line for line in complete(ini, "upgrade", "-") if line[6:8] == "-1"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_command_is_described_in_a_whole_sentence(
    complete: Complete, ini: Path, shell: str
) -> None:
    offered = "\n".join(complete(ini, "upg", for_shell=shell))
    assert offered.endswith("Upgrade the database to REVISION, by default to all heads.")


def test_the_options_before_it_are_completed(complete: Complete) -> None:
    assert values(complete("--j")) == {"--json"}
    assert {"--verbose", "--no-color", "--traceback"} <= values(complete("--"))


def test_every_command_is_completed_after_the_ini_file(complete: Complete, ini: Path) -> None:
    assert values(complete(ini, "")) == set(cli.commands)
    assert values(complete(ini, "up")) == {"upgrade"}


def test_every_command_completes_its_options(complete: Complete, ini: Path) -> None:
    for name, command in cli.commands.items():
        long = {option for param in command.params for option in param.opts if "--" in option}
        assert long <= values(complete(ini, name, "--"))


@pytest.mark.parametrize(
    "words",
    [
        ["upgrade"],
        ["downgrade"],
        ["show"],
        ["edit"],
        ["stamp"],
        ["merge", "aabb2"],
        ["revision", "--head"],
        ["revision", "--depends-on"],
        ["history", "-r"],
        ["upgrade", "--sql"],
    ],
)
def test_revisions_are_completed(complete: Complete, ini: Path, words: list[str]) -> None:
    assert values(complete(ini, *words, "a")) == {"aaaa1", "aabb2"}
    assert values(complete(ini, *words, "aab")) == {"aabb2"}


def test_symbols_and_branches_are_completed_too(complete: Complete, ini: Path) -> None:
    assert values(complete(ini, "upgrade", "")) == {
        "aaaa1",
        "aabb2",
        "head",
        "heads",
        "base",
        "side@head",
    }


@pytest.mark.parametrize("words", [["show"], ["edit"], ["history", "-r"], ["upgrade", "--sql"]])
def test_current_is_offered_where_it_names_a_revision(
    complete: Complete, ini: Path, words: list[str]
) -> None:
    assert values(complete(ini, *words, "cur")) == {"current"}


@pytest.mark.parametrize("words", [["upgrade"], ["downgrade"], ["stamp"], ["merge"]])
def test_current_is_not_offered_where_it_names_none(
    complete: Complete, ini: Path, words: list[str]
) -> None:
    assert complete(ini, *words, "cur") == []


@pytest.mark.parametrize("variables", [["db=test"], ["db=test", "here.x=1"]])
def test_a_line_that_bash_has_not_split_is_completed_with_its_variables(
    complete: Complete, ini: Path, variables: list[str]
) -> None:
    assert values(complete(ini, *variables, "up")) == {"upgrade"}
    assert values(complete(ini, *variables, "upgrade", "aaa")) == {"aaaa1"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["db", "=", "test", "up"], {"upgrade"}),
        (["db", "=", "test", "upgrade", "aaa"], {"aaaa1"}),
        (["upgrade", "--sql", "aaaa1", ":", "aab"], {"aabb2"}),
        (
            ["upgrade", "--sql", "aaaa1", ":"],
            {"aaaa1", "aabb2", "base", "current", "head", "heads"},
        ),
        (["upgrade", "side", "@", "h"], {"@head"}),
        (["upgrade", "side", "@"], {"@head"}),
        (["revision", "--head", "=", "aab"], {"aabb2"}),
    ],
)
def test_a_line_is_completed_as_bash_splits_it(
    complete: Complete, ini: Path, words: list[str], expected: set[str]
) -> None:
    assert values(complete(ini, *words)) - {"side@head"} == expected


def test_a_variable_reaches_the_settings(make_app: MakeApp, complete: Complete) -> None:
    ini = make_app("sqlite://", REVISIONS)
    text = ini.read_text().replace(str(ini.parent / "migrations"), "%(folder)s")
    ini.write_text(text)
    assert complete(ini, "upgrade", "aaa") == []
    assert values(complete(ini, f"folder={ini.parent / 'migrations'}", "upgrade", "aaa")) == {
        "aaaa1"
    }


def test_zsh_gets_the_messages(complete: Complete, ini: Path) -> None:
    assert complete(ini, "upgrade", "a", for_shell="zsh") == [
        *("plain", "aabb2", "create b: a table"),
        *("plain", "aaaa1", "create a"),
    ]
    assert complete(ini, "upgrade", "side", for_shell="zsh") == ["plain", "side@head", "_"]
    assert complete(ini, "upgrade", "aaaa1:aab", for_shell="zsh") == [
        *("plain", "aaaa1\\:aabb2", "create b: a table")
    ]


def test_fish_gets_the_messages(complete: Complete, ini: Path) -> None:
    assert complete(ini, "upgrade", "a", for_shell="fish") == [
        "plain,aabb2\tcreate b: a table",
        "plain,aaaa1\tcreate a",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no section",
        "[app:main]\nx = %(nowhere)s\nalembic.script_location = migrations\n",
        "[app:main]\nsqlalchemy.url = ${NOWHERE}\nalembic.script_location = migrations\n",
        "[app:main]\nalembic.script_location = nowhere\n",
        "[app:main]\nmigrate.typo = 1\nalembic.script_location = migrations\n",
    ],
)
def test_a_broken_ini_completes_nothing_and_says_nothing(
    complete: Complete, ini: Path, text: str
) -> None:
    ini.write_text(text)
    assert complete(ini, "upgrade", "") == []
    assert values(complete(ini, "upg")) == {"upgrade"}


def test_a_missing_ini_completes_nothing_and_says_nothing(
    complete: Complete, tmp_path: Path
) -> None:
    assert complete(tmp_path / "nope.ini", "upgrade", "") == []


@pytest.mark.parametrize("code", ["1/0", "raise SystemExit(3)", "import nowhere", "print('here'"])
def test_a_broken_revision_file_is_completed_and_not_run(
    complete: Complete, ini: Path, code: str
) -> None:
    path = add_revision(ini.parent / "migrations", Revision("aacc3", "aabb2"))
    path.write_text(f"{path.read_text()}\n{code}\n")
    assert values(complete(ini, "upgrade", "aac")) == {"aacc3"}


def in_doubt(ini: Path, id_: str) -> None:
    """Add a revision of which only running it tells the id."""
    path = add_revision(ini.parent / "migrations", Revision("aacc3", "aabb2"))
    path.write_text(path.read_text().replace("revision = 'aacc3'", f"revision = {id_}", 1))


@pytest.mark.parametrize("id_", ["1/0", "exit(3)", "nowhere", "('here'"])
def test_a_revision_file_in_doubt_that_fails_completes_nothing_and_says_nothing(
    complete: Complete, ini: Path, id_: str
) -> None:
    in_doubt(ini, id_)
    assert complete(ini, "upgrade", "") == []


def test_what_a_revision_file_prints_is_no_completion(complete: Complete, ini: Path) -> None:
    in_doubt(ini, "str('aacc3')\nimport sys\nprint('noise')\nprint('noise', file=sys.stderr)")
    assert values(complete(ini, "upgrade", "aac")) == {"aacc3"}


@pytest.mark.parametrize("words", [["--json", "up"], ["heads", "a", "b"]])
def test_a_line_that_makes_no_sense_completes_nothing_and_says_nothing(
    complete: Complete, ini: Path, words: list[str]
) -> None:
    assert complete(ini, *words) == []


def test_completion_creates_no_database(complete: Complete, ini: Path) -> None:
    complete(ini, "upgrade", "")
    assert sorted(path.name for path in ini.parent.iterdir()) == ["app.ini", "migrations"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    result = run(env={VARIABLE: f"{shell}_source"})
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{VARIABLE}={shell}_complete" in result.stdout
    assert "myapp-migrate" in result.stdout


class Bash:
    """An interactive bash on a terminal, with the completion set up."""

    def __init__(self, folder: Path) -> None:
        self._terminal, end = os.openpty()
        environment = {
            **os.environ,
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "PS1": "$ ",
            "TERM": "dumb",
        }
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=end,
            stdout=end,
            stderr=end,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        os.close(end)
        self.type(f'eval "$({VARIABLE}=bash_source myapp-migrate)"; echo set  up\n')
        self.read_until("set up\r\n$ ")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def read_until(self, expected: str, seconds: float = 30) -> str:
        """Return what bash shows up to `expected`."""
        shown = ""
        deadline = time.monotonic() + seconds
        while expected not in shown and time.monotonic() < deadline:
            if select.select([self._terminal], [], [], 0.1)[0]:
                shown += os.read(self._terminal, 65536).decode()
        assert expected in shown, shown
        return shown

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        os.close(self._terminal)


@pytest.fixture
def bash(ini: Path) -> Iterator[Bash]:
    bash = Bash(ini.parent)
    yield bash
    bash.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("myapp-migrate ap", "myapp-migrate app.ini "),
        ("myapp-migrate app.ini upg", "myapp-migrate app.ini upgrade "),
        ("myapp-migrate app.ini db=test upg", "myapp-migrate app.ini db=test upgrade "),
        ("myapp-migrate app.ini db=test upgrade aab", "upgrade aabb2 "),
        ("myapp-migrate app.ini upgrade --sql aaaa1:aab", "upgrade --sql aaaa1:aabb2 "),
        ("myapp-migrate app.ini upgrade side@h", "upgrade side@head "),
        ("myapp-migrate app.ini revision --head=aab", "revision --head=aabb2 "),
        ("myapp-migrate app.ini upgrade --tr", "upgrade --traceback "),
    ],
)
def test_bash_completes_what_is_typed(bash: Bash, typed: str, completed: str) -> None:
    bash.type(f"{typed}\t")
    bash.read_until(completed)


def test_bash_lists_what_there_is(bash: Bash) -> None:
    bash.type("myapp-migrate app.ini upgrade aa\t\t")
    assert "aabb2" in bash.read_until("aaaa1")


def test_bash_shows_nothing_where_the_ini_is_broken(bash: Bash, ini: Path) -> None:
    ini.write_text("no section")
    bash.type("myapp-migrate app.ini upgrade a\t\tX")
    assert bash.read_until("X").replace("\a", "").endswith("upgrade aX")
