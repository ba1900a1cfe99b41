"""`${NAME}` and `${NAME:-default}` in setting values."""

import os

import pytest
from support.command import invoke, run
from support.history import make_history
from support.ini import MakeIni

from myapp.migrator.errors import SettingsError
from myapp.migrator.variables import expand_variables


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
