"""Post-write hooks: what they change arrives, and one that fails is an error."""

from pathlib import Path

import pytest
from support.command import run
from support.history import MakeApp

from myapp.migrator.base.errors import SettingsError, UsageError
from myapp.migrator.commands.authoring import revision
from myapp.migrator.config import run_context

HOOK = "[post_write_hooks]\nhooks = mine\n"
MODULE = """\
import pathlib, sys

path = pathlib.Path(sys.argv[1])
path.write_text("# hooked\\n" + path.read_text())
"""


@pytest.fixture
def hook_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that writes a comment into the file that it is given."""
    (tmp_path / "hook_of_this_test.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    return "hook_of_this_test"


@pytest.mark.parametrize(
    "lines",
    [
        "mine.type = exec\nmine.executable = sed\n"
        "mine.options = -i '1i # hooked' REVISION_SCRIPT_FILENAME",
        "mine.type = exec\nmine.executable = sh\n"
        """mine.options = -c 'sed -i "1i # hooked" "$0"' REVISION_SCRIPT_FILENAME""",
        "mine.type = module\nmine.module = hook_of_this_test",
    ],
)
def test_a_hook_changes_the_new_file(
    make_app: MakeApp, sqlite_url: str, hook_module: str, lines: str
) -> None:
    config = run_context(make_app(sqlite_url, extra=HOOK + lines))

    (new,) = revision(config, "First").revisions

    assert Path(new.path).read_text().startswith('# hooked\n"""First')


def test_a_console_script_is_a_hook(make_app: MakeApp, sqlite_url: str) -> None:
    # `py.test` and `pytest` are console scripts of what runs this test.
    lines = "mine.type = console_scripts\nmine.entrypoint = pytest\nmine.options = --version"

    (new,) = revision(run_context(make_app(sqlite_url, extra=HOOK + lines)), "First").revisions

    assert Path(new.path).exists()


def test_a_hook_runs_in_the_folder_that_is_set(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    lines = f"mine.type = exec\nmine.executable = touch\nmine.options = here\nmine.cwd = {tmp_path}"

    revision(run_context(make_app(sqlite_url, extra=HOOK + lines)), "First")

    assert (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("mine.type = exec\nmine.executable = false", "it ended with exit status 1"),
        (
            "mine.type = exec\nmine.executable = /no/such/program",
            "/no/such/program can't be run or entered: No such file or directory",
        ),
        (
            "mine.type = exec\nmine.executable = true\nmine.cwd = /no/such/folder",
            "/no/such/folder can't be run or entered: No such file or directory",
        ),
        ("mine.type = exec", "`mine.executable` is not set"),
        (
            "mine.type = exec\nmine.executable = true\nmine.options = 'open",
            "its options can't be split as a shell does: No closing quotation",
        ),
        ("mine.type = module", "`mine.module` is not set"),
        ("mine.type = module\nmine.module = no.such.module", "there is no module `no.such.module`"),
        ("mine.type = module\nmine.module = json.nope", "there is no module `json.nope`"),
        (
            "mine.type = module\nmine.module = json.tool\nmine.options = REVISION_SCRIPT_FILENAME",
            "it ended with exit status 1",
        ),
        ("mine.type = console_scripts", "`mine.entrypoint` is not set"),
        (
            "mine.type = console_scripts\nmine.entrypoint = no-such-script",
            "there is no console script `no-such-script`",
        ),
        (
            "mine.type = console_scripts\nmine.entrypoint = pytest\nmine.options = --no-such",
            "it ended with exit status 4",
        ),
    ],
)
def test_a_failing_hook_is_an_error_that_names_the_written_file(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, lines: str, reason: str
) -> None:
    config = run_context(make_app(sqlite_url, extra=HOOK + lines))

    with pytest.raises(SettingsError) as raised:
        revision(config, "First", rev_id="aaa111")

    path = tmp_path / "migrations" / "versions" / "aaa111_first.py"
    assert raised.value.message == (
        f"The post-write hook `mine` failed: {reason}. The revision file {path} has been written."
    )
    assert raised.value.hint == (
        "fix [post_write_hooks] in the .ini file, then run the hook on that file by hand."
    )
    assert path.exists()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            "mine.executable = true",
            "Key 'mine.type' (or 'type' in toml) is required for post write hook 'mine'",
        ),
        ("mine.type = nope", "No formatter with name 'nope' registered"),
    ],
)
def test_a_hook_of_no_known_type_leaves_no_file(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, lines: str, reason: str
) -> None:
    with pytest.raises(UsageError) as raised:
        revision(run_context(make_app(sqlite_url, extra=HOOK + lines)), "First", rev_id="aaa111")

    assert raised.value.message == f"No revision was written: {reason}."
    assert raised.value.hint == "fix [post_write_hooks] in the .ini file."
    assert not (tmp_path / "migrations" / "versions" / "aaa111_first.py").exists()


def test_a_hook_that_makes_a_file_no_python_leaves_none(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    lines = "mine.type = exec\nmine.executable = sed\nmine.options = -i '1i def'"
    config = run_context(make_app(sqlite_url, extra=f"{HOOK}{lines} REVISION_SCRIPT_FILENAME"))

    with pytest.raises(SettingsError) as raised:
        revision(config, "First")

    assert raised.value.message == (
        "No revision was written: a post-write hook has made of it what is no valid Python,"
        " invalid syntax."
    )
    assert list((tmp_path / "migrations" / "versions").iterdir()) == []


def test_the_hooks_after_a_failing_one_do_not_run(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    lines = (
        "[post_write_hooks]\nhooks = first, second\n"
        "first.type = exec\nfirst.executable = false\n"
        f"second.type = exec\nsecond.executable = touch\nsecond.options = {tmp_path / 'ran'}"
    )

    with pytest.raises(SettingsError, match="The post-write hook `first` failed"):
        revision(run_context(make_app(sqlite_url, extra=lines)), "First")

    assert not (tmp_path / "ran").exists()


def test_what_a_hook_prints_is_no_part_of_the_answer(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    lines = "mine.type = exec\nmine.executable = echo\nmine.options = HELLO"
    app = make_app(sqlite_url, extra=HOOK + lines)

    done = run(app, "revision", "-m", "First", "--rev-id", "aaa111")

    path = tmp_path / "migrations" / "versions" / "aaa111_first.py"
    assert (done.returncode, done.stdout) == (0, f"Wrote {path}\n")
    assert "HELLO" in done.stderr


def test_a_failing_hook_ends_the_command_with_status_2(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    app = make_app(sqlite_url, extra=HOOK + "mine.type = exec\nmine.executable = false")

    done = run(app, "revision", "-m", "First", "--rev-id", "aaa111")

    path = tmp_path / "migrations" / "versions" / "aaa111_first.py"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-2:] == [
        "Error: The post-write hook `mine` failed: it ended with exit status 1. The revision file"
        f" {path} has been written.",
        "Hint:  fix [post_write_hooks] in the .ini file, then run the hook on that file by hand.",
    ]
    assert "Traceback" not in done.stderr
