"""`${NAME}` and `${NAME:-default}` in setting values."""

import os
from pathlib import Path

import pytest
from support.command import Result, invoke, run
from support.database import tables
from support.history import MakeApp, Revision, make_history
from support.ini import MakeIni
from support.processes import write_env
from support.refusal import refused, told

from myapp.migrator.base.errors import SettingsError
from myapp.migrator.settings.variables import expand_variables


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "value")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)


@pytest.mark.parametrize(
    ("written", "expanded"),
    [
        ("plain", "plain"),
        ("", ""),
        ("${NAME}", "value"),
        ("a ${NAME} and ${NAME}", "a value and value"),
        ("$NAME, ${NAME} and \\$", "$NAME, value and \\$"),
        ("${NAME:-default}", "value"),
        ("${UNSET:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY}", ""),
        ("${UNSET:-}", ""),
        ("${UNSET:-postgresql://u:p@h/db?a=b}", "postgresql://u:p@h/db?a=b"),
        ('${UNSET:-{"a": 1}}', '{"a": 1}'),
    ],
)
def test_a_variable_is_expanded(written: str, expanded: str) -> None:
    assert expand_variables({"key": written}) == {"key": expanded}


@pytest.mark.parametrize(
    "value", ["$NAME", "100$", "$$", r"\$NAME", r"C:\x\\y", "%(NAME)s", "{NAME}"]
)
def test_everything_else_stays_as_it_is(value: str) -> None:
    assert expand_variables({"key": value}) == {"key": value}


@pytest.mark.parametrize("secret", ["p@ss%/w:ord#1", "${NAME}", "$NAME", r"a\b", "}", "'\""])
def test_a_value_from_the_environment_is_not_expanded_again(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", secret)
    assert expand_variables({"key": "<${SECRET}>"}) == {"key": f"<{secret}>"}


def test_an_unset_variable_is_named_with_its_key() -> None:
    with pytest.raises(SettingsError) as caught:
        expand_variables(
            {"other": "${NAME}", "sqlalchemy.url": "postgresql://u:s3cret@${UNSET}/db"}
        )
    assert caught.value.message == (
        "`sqlalchemy.url` needs the environment variable UNSET, which is not set."
    )
    assert caught.value.hint == (
        "set it (`export UNSET=...`), or give a default: `${UNSET:-default}`."
    )


@pytest.mark.parametrize(
    "value",
    [
        "s3cret${",
        "s3cret${NAME",
        "s3cret${}",
        "s3cret${NAME.PART}",
        "s3cret${NAME PART}",
        "s3cret${UNSET:0:3}",
        "s3cret${UNSET:=assigned}",
        "s3cret${!NAME}",
        "s3cret${UNSET:-${NAME}}",
        "s3cret${UNSET:-with $NAME}",
        r"s3cret${UNSET:-back\slash}",
        "s3cret${UNSET:-{}",
    ],
)
def test_what_is_neither_form_is_an_error_and_not_an_empty_string(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        expand_variables({"sqlalchemy.url": value})
    assert caught.value.message == "`sqlalchemy.url` has a `${...}` that can't be expanded."
    assert caught.value.hint == (
        "write `${NAME}` or `${NAME:-default}`; a default has no `$` and no backslash in it."
    )
    assert "UNSET" not in os.environ


def test_the_settings_given_are_left_alone() -> None:
    settings = {"key": "${NAME}"}
    expand_variables(settings)
    assert settings == {"key": "${NAME}"}


def test_the_application_and_the_command_read_the_same_url(
    make_ini: MakeIni, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import plaster
    from sqlalchemy import inspect

    ini = make_ini(
        {
            "sqlalchemy.url": "${TEST_DATABASE_URL}",
            "alembic.script_location": "${TEST_PACKAGE:-myapp}:migrations",
        }
    )
    monkeypatch.setenv("TEST_DATABASE_URL", database_url)
    assert invoke(ini, "upgrade").returncode == 0
    app = plaster.get_loader(str(ini), protocols=["wsgi"]).get_wsgi_app()
    engine = app.registry["dbsession_factory"].kw["bind"]
    try:
        assert "users" in inspect(engine).get_table_names()
    finally:
        engine.dispose()


def test_an_unset_variable_ends_the_command_with_a_hint(make_ini: MakeIni) -> None:
    history = make_history(make_ini({}).parent / "history")
    ini = make_ini({"sqlalchemy.url": "${UNSET}", "alembic.script_location": str(history)})
    result = run(ini, "upgrade", env={"UNSET": None})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: `sqlalchemy.url` needs the environment variable UNSET, which is not set.\n"
        "Hint:  set it (`export UNSET=...`), or give a default: `${UNSET:-default}`.\n"
    )


def test_variables_in_settings_of_others_are_not_looked_at(
    make_ini: MakeIni, sqlite_url: str
) -> None:
    ini = make_ini(
        {
            "sqlalchemy.url": sqlite_url,
            "alembic.script_location": "myapp:migrations",
            "mail.greeting": "Dear ${UNSET}",
        },
        extra="[alembic]\n[other]\nkey = ${UNSET}\n[DEFAULT]\nfoo = ${UNSET}",
    )
    assert invoke(ini, "heads").returncode == 0


LINE = [Revision("aaa111", None, "add a"), Revision("bbb222", "aaa111", "add b")]
UNSET = "`sqlalchemy.url` needs the environment variable UNSET, which is not set."
HINT = "set it (`export UNSET=...`), or give a default: `${UNSET:-default}`."


@pytest.mark.parametrize(
    "arguments",
    [
        ["heads"],
        ["branches"],
        ["history"],
        ["history", "-r", "aaa111:"],
        ["show", "aaa111"],
        ["revision", "-m", "new"],
        ["merge", "bbb222", "ccc333"],
        ["edit", "aaa111"],
        ["init", "other"],
        ["list-templates"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("key", ["sqlalchemy.url", "sqlalchemy.connect_args", "migrate.lock_url"])
def test_what_needs_no_database_needs_no_variable_of_it(
    key: str, arguments: list[str], make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    revisions = LINE
    if arguments[0] == "merge":
        revisions = [*LINE, Revision("ccc333", "aaa111")]
    ini = make_app("sqlite:////nowhere/x.sqlite", revisions, {key: "${UNSET}"})
    monkeypatch.chdir(ini.parent)
    monkeypatch.setenv("EDITOR", "true")
    result = invoke(ini, *arguments)
    assert result.returncode == 0, result.stderr
    assert "Error" not in result.stderr


def test_completion_of_revisions_needs_no_variable_of_the_database(make_app: MakeApp) -> None:
    ini = make_app("${UNSET}", LINE)
    environment = {
        "_MYAPP_MIGRATE_COMPLETE": "bash_complete",
        "COMP_WORDS": f"myapp-migrate {ini} upgrade a",
        "COMP_CWORD": "3",
        "UNSET": None,
    }
    assert run(env=environment).stdout == "plain,aaa111\n"


def test_an_alembic_section_too_may_have_an_unset_variable_in_its_url(
    make_ini: MakeIni,
) -> None:
    history = make_history(make_ini({}).parent / "history", LINE)
    ini = make_ini({}, extra=f"[alembic]\nscript_location = {history}\nsqlalchemy.url = ${{UNSET}}")
    assert invoke(ini, "heads") == Result(0, "bbb222 (head), add b\n", "")
    assert invoke(ini, "current").stderr == told(UNSET, HINT)


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_the_history_tells_why_no_revision_is_marked(option: list[str], make_app: MakeApp) -> None:
    result = invoke(make_app("${UNSET}", LINE), "history", *option)
    assert (result.returncode, "aaa111" in result.stdout) == (0, True)
    assert result.stderr == f"Warning: no revision is marked as applied or pending. {UNSET}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["upgrade"],
        ["upgrade", "--sql"],
        ["downgrade", "base"],
        ["downgrade", "--sql", "bbb222:base"],
        ["current"],
        ["check"],
        ["wait"],
        ["stamp", "heads"],
        ["stamp", "--sql", "heads"],
        ["ensure-version"],
        ["ensure-version", "--sql"],
        ["history", "-i"],
        ["history", "-r", "current:"],
        ["show", "current"],
        ["edit", "current"],
        ["revision", "--autogenerate"],
    ],
    ids=" ".join,
)
def test_what_needs_the_database_names_the_variable(
    arguments: list[str], make_app: MakeApp, tmp_path: Path
) -> None:
    refused(tmp_path, 2, UNSET, HINT, make_app("${UNSET}", LINE), *arguments)


@pytest.mark.parametrize("key", ["sqlalchemy.connect_args", "migrate.lock_url"])
def test_another_value_that_opening_the_database_needs_is_named(
    key: str, make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE, {key: "${UNSET}"})
    result = invoke(ini, "upgrade")
    assert (result.returncode, result.stderr) == (
        2,
        told(UNSET.replace("sqlalchemy.url", key), HINT),
    )
    assert tables(postgresql_url) == set()


def test_an_env_py_of_another_app_meets_the_same_error(make_app: MakeApp) -> None:
    ini = make_app("${UNSET}", LINE)
    write_env(
        ini,
        "from alembic import context\n"
        "from sqlalchemy import create_engine\n"
        "with create_engine(context.config.get_main_option('sqlalchemy.url')).connect() as c:\n"
        "    context.configure(connection=c)\n"
        "    context.run_migrations()\n",
    )
    assert invoke(ini, "upgrade").stderr == told(UNSET, HINT)
    assert invoke(ini, "heads").returncode == 0


def test_a_password_beside_an_unset_variable_stays_secret(make_app: MakeApp) -> None:
    code = "raise ValueError('tell s3cret-word')"
    ini = make_app("postgresql://u:s3cret-word@${UNSET}/db", LINE)
    write_env(ini, code)
    result = invoke("--traceback", ini, "current")
    assert "tell ***" in result.stderr
    assert "s3cret-word" not in result.stderr.replace(code, "")
