"""From a config_uri to frozen settings."""

import dataclasses
import os
from pathlib import Path

import pytest
from pyramid.settings import asbool
from support.command import invoke, run
from support.history import make_history
from support.ini import MakeIni

from myapp.migrator.base.errors import SettingsError
from myapp.migrator.settings.alembic_options import OPTIONS
from myapp.migrator.settings.settings import Settings, load_settings

URL = "sqlite:///x.sqlite"


def error_of(config_uri: object, **config_vars: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_settings(str(config_uri), config_vars)
    return caught.value


def alembic_of(path: Path) -> dict[str, str]:
    """Alembic's options, without the one that is always there."""
    options = dict(load_settings(str(path)).alembic)
    assert options.pop("path_separator") == "newline"
    return options


def test_only_settings_about_the_database_are_kept(make_ini: MakeIni) -> None:
    settings = load_settings(
        str(
            make_ini({"sqlalchemy.url": URL, "sqlalchemy.echo": "true", "session.secret": "s3cret"})
        )
    )
    assert settings.engine_options == {"sqlalchemy.url": URL, "sqlalchemy.echo": "true"}
    assert "s3cret" not in str(dataclasses.asdict(settings))


def test_settings_are_frozen(make_ini: MakeIni) -> None:
    settings = load_settings(str(make_ini({})))
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.section = "other"  # type: ignore[misc]


def test_no_value_is_shown_by_accident(make_ini: MakeIni) -> None:
    ini = make_ini({"sqlalchemy.url": "postgresql://u:s3cret@/db", "alembic.url": "s3cret"})
    settings = load_settings(str(ini), {"password": "s3cret"})
    assert settings.url == "postgresql://u:s3cret@/db"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("separator", ["", "/", "./", "../"])
def test_a_relative_config_uri_starts_at_the_working_folder(
    separator: str, make_ini: MakeIni, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini = make_ini({})
    (ini.parent / "sub").mkdir()
    monkeypatch.chdir(ini.parent / "sub" if separator == "../" else ini.parent)
    config_uri = str(ini) if separator == "/" else f"{separator}app.ini"
    assert load_settings(config_uri).path == ini


@pytest.mark.parametrize(
    "config_uri",
    [
        "{}",
        "file:{}",
        "file://{}",
        "file+ini://{}",
        "pastedeploy:{}",
        "pastedeploy+ini:{}",
        "ini:{}",
    ],
)
def test_a_config_uri_may_have_a_scheme(config_uri: str, make_ini: MakeIni) -> None:
    ini = make_ini({"sqlalchemy.url": URL})
    assert load_settings(config_uri.format(ini)).url == URL


@pytest.mark.parametrize("config_uri", ["development", ""])
def test_a_config_uri_without_an_ending_is_explained(config_uri: str) -> None:
    error = error_of(config_uri)
    assert error.message == f"`{config_uri}` is not the name of an .ini file."
    assert error.hint == "give the path of the application's .ini file, such as `development.ini`."


@pytest.mark.parametrize(
    ("config_uri", "scheme"),
    [("development.yaml", "file+yaml"), ("egg:shop", "egg"), ("env://", "env")],
)
def test_a_config_uri_of_another_kind_is_explained(config_uri: str, scheme: str) -> None:
    error = error_of(config_uri)
    assert error.message == f"`{config_uri}` is not an .ini file: its type is `{scheme}`."
    assert error.hint == "give the path of the application's .ini file, such as `development.ini`."


def test_a_fragment_names_the_application(make_ini: MakeIni) -> None:
    ini = make_ini(
        {"sqlalchemy.url": "sqlite:///main"},
        extra="[app:admin]\nuse = egg:myapp\nsqlalchemy.url = sqlite:///admin",
    )
    assert load_settings(str(ini)).url == "sqlite:///main"
    assert load_settings(f"{ini}#admin").url == "sqlite:///admin"


def test_a_query_gives_variables_and_pairs_win_over_it(make_ini: MakeIni) -> None:
    ini = make_ini({}, extra="sqlalchemy.url = sqlite:///%(db)s")
    assert load_settings(f"{ini}?db=test").url == "sqlite:///test"
    assert load_settings(f"{ini}?db=test#main").url == "sqlite:///test"
    assert load_settings(f"{ini}?db=test", {"db": "pair"}).url == "sqlite:///pair"


def test_the_command_takes_variables_after_the_ini(make_ini: MakeIni, tmp_path: Path) -> None:
    ini = make_ini(
        {"alembic.script_location": "myapp:migrations"},
        extra="sqlalchemy.url = sqlite:///%(here)s/%(db)s.%(kind)s",
    )
    assert invoke(ini, "db=test", "kind=sqlite", "upgrade").returncode == 0
    assert [path.name for path in tmp_path.glob("*.sqlite")] == ["test.sqlite"]


def test_a_variable_does_not_override_default(make_ini: MakeIni) -> None:
    ini = make_ini({}, extra="sqlalchemy.url = sqlite:///%(db)s\n[DEFAULT]\ndb = default")
    assert load_settings(str(ini), {"db": "variable"}).url == "sqlite:///default"


# What is missing


def test_a_missing_url_is_explained(make_ini: MakeIni) -> None:
    ini = make_ini({})
    settings = load_settings(str(ini))
    assert not settings.has_url
    with pytest.raises(SettingsError) as caught:
        _ = settings.url
    assert caught.value.message == (
        f"[app:main] in {ini} has no `sqlalchemy.url`, so there is no database."
    )
    assert caught.value.hint == "add `sqlalchemy.url = postgresql://user@host/database`."


@pytest.mark.parametrize("url", ["", "  "])
def test_a_blank_url_is_a_missing_one(url: str, make_ini: MakeIni) -> None:
    settings = load_settings(str(make_ini({"sqlalchemy.url": url})))
    assert not settings.has_url
    with pytest.raises(SettingsError, match="there is no database"):
        _ = settings.url


def test_a_url_in_default_is_dropped_and_the_command_says_so(
    make_ini: MakeIni, tmp_path: Path
) -> None:
    make_history(tmp_path / "history")
    ini = make_ini(
        {"alembic.script_location": "history", "sqlalchemy.url": "sqlite:///dropped.sqlite"},
        extra="[alembic]\n[DEFAULT]\nsqlalchemy.url = sqlite:///default.sqlite",
    )
    result = run(ini, "upgrade", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: [app:main] in {ini} has no `sqlalchemy.url`, so there is no database. It stands"
        " in [DEFAULT], and PasteDeploy keeps such keys from the app.\n"
        "Hint:  move it out of [DEFAULT], or add `get sqlalchemy.url = sqlalchemy.url` to that"
        " section.\n"
    )
    assert not list(tmp_path.glob("*.sqlite"))


def test_what_the_message_about_default_tells_to_type_works(make_ini: MakeIni) -> None:
    ini = make_ini(
        {"get sqlalchemy.url": "sqlalchemy.url"},
        extra="[DEFAULT]\nsqlalchemy.url = sqlite:///default.sqlite",
    )
    assert load_settings(str(ini)).url == "sqlite:///default.sqlite"


def test_a_url_given_as_a_variable_is_dropped_and_the_error_says_so(make_ini: MakeIni) -> None:
    ini = make_ini({"sqlalchemy.url": "sqlite:///dropped.sqlite"})
    settings = load_settings(str(ini), {"sqlalchemy.url": "sqlite:///variable.sqlite"})
    with pytest.raises(SettingsError) as caught:
        _ = settings.url
    assert caught.value.message == (
        f"[app:main] in {ini} has no `sqlalchemy.url`, so there is no database. It was given as"
        " NAME=VALUE, and PasteDeploy keeps such keys from the app."
    )
    assert caught.value.hint == (
        "give it by another name, `value=...`, and add `sqlalchemy.url = %(value)s` there."
    )


def test_a_missing_script_location_is_explained(make_ini: MakeIni) -> None:
    ini = make_ini({"sqlalchemy.url": URL})
    result = invoke(ini, "heads")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: [app:main] in {ini} has no `alembic.script_location`, so there are no"
        " migrations.\n"
        "Hint:  add `alembic.script_location = package:migrations`;"
        f" `myapp-migrate {ini} init FOLDER` makes one.\n"
    )


def test_a_misspelt_script_location_is_recognised(make_ini: MakeIni) -> None:
    settings = load_settings(str(make_ini({"alembic.script_locaton": "history"})))
    with pytest.raises(SettingsError) as caught:
        _ = settings.script_location
    assert caught.value.hint == "is `alembic.script_locaton` a misspelling of it?"


def test_a_script_location_in_default_is_recognised(make_ini: MakeIni) -> None:
    ini = make_ini({}, extra="[DEFAULT]\nalembic.script_location = history")
    with pytest.raises(SettingsError) as caught:
        _ = load_settings(str(ini)).script_location
    assert "It stands in [DEFAULT]" in caught.value.message


def test_an_option_in_default_needs_an_alembic_section(make_ini: MakeIni) -> None:
    ini = make_ini({"alembic.version_locations": "m"}, extra="[DEFAULT]\nscript_location = m")
    with pytest.raises(SettingsError) as caught:
        _ = load_settings(str(ini)).script_location
    assert str(caught.value.message) == (
        f"[app:main] in {ini} has no `alembic.script_location`, so there are no migrations."
        " `script_location` stands in [DEFAULT], which Alembic reads for [alembic] only."
    )
    assert caught.value.hint == (
        "add a section [alembic], or `alembic.script_location = %(script_location)s` to that"
        " section."
    )


def test_no_option_of_alembic_is_taken_for_a_misspelling(make_ini: MakeIni) -> None:
    settings = load_settings(str(make_ini({"alembic.version_locations": "m"})))
    with pytest.raises(SettingsError) as caught:
        _ = settings.script_location
    assert str(caught.value.hint).startswith("add `alembic.script_location")


def test_the_section_of_a_pipelines_application_is_named(make_ini: MakeIni) -> None:
    ini = make_ini({}, extra="[pipeline:all]\npipeline = main")
    with pytest.raises(SettingsError) as caught:
        _ = load_settings(f"{ini}#all").url
    assert caught.value.message.startswith(f"[app:main] in {ini} has no `sqlalchemy.url`")


# Alembic's options


def test_every_alembic_option_is_kept_as_it_is(make_ini: MakeIni) -> None:
    options = {
        "file_template": "%(year)d_%(rev)s",
        "timezone": "UTC",
        "truncate_slug_length": "20",
        "version_table": "versions",
        "version_table_schema": "deploys",
        "output_encoding": "utf-8",
        "of_our_own": "anything, and $more",
    }
    ini = make_ini({f"alembic.{key}": value for key, value in options.items()})
    assert alembic_of(ini) == options


def test_the_alembic_section_is_honoured_and_the_application_wins(make_ini: MakeIni) -> None:
    ini = make_ini(
        {"alembic.version_table": "from_app", "sqlalchemy.pool_size": "1"},
        extra="[alembic]\nversion_table = from_alembic\ntimezone = UTC\n"
        f"sqlalchemy.url = {URL}\nsqlalchemy.pool_size = 2",
    )
    settings = load_settings(str(ini))
    assert (settings.alembic["version_table"], settings.alembic["timezone"]) == ("from_app", "UTC")
    assert settings.engine_options == {"sqlalchemy.url": URL, "sqlalchemy.pool_size": "1"}


def test_the_applications_url_wins_over_the_alembic_sections(make_ini: MakeIni) -> None:
    ini = make_ini({"sqlalchemy.url": URL}, extra="[alembic]\nsqlalchemy.url = sqlite:///other")
    assert load_settings(str(ini)).url == URL


@pytest.mark.parametrize("key", ["timezone", "truncate_slug_length", "file_template", "sourceless"])
def test_a_blank_option_is_an_unset_one(key: str, make_ini: MakeIni) -> None:
    assert alembic_of(make_ini({f"alembic.{key}": ""})) == {}


BOOLEANS = [name for name, option in OPTIONS.items() if option.is_boolean]
SPELLINGS = ["true", "True", "TRUE", "t", "yes", "Yes", "y", "on", "On", "1", " true "]
SPELLINGS += ["false", "False", "f", "no", "n", "off", "0", "2", "enabled", "-"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_boolean_is_read_as_pyramid_reads_it(spelling: str, make_ini: MakeIni) -> None:
    ini = make_ini({f"alembic.{key}": spelling for key in BOOLEANS})
    assert alembic_of(ini) == dict.fromkeys(BOOLEANS, str(asbool(spelling)).lower())


def test_a_boolean_in_the_alembic_section_is_read_as_pyramid_reads_it(make_ini: MakeIni) -> None:
    ini = make_ini({}, extra="[alembic]\nsourceless = Yes\nrevision_environment = No")
    assert alembic_of(ini) == {"sourceless": "true", "revision_environment": "false"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("history", "{here}/history"),
        ("./db/history/", "{here}/db/history"),
        ("../history", "{parent}/history"),
        ("/srv/shop/history", "/srv/shop/history"),
        ("/srv/shop:2/history", "/srv/shop:2/history"),
        ("shop:migrations", "shop:migrations"),
        ("shop.db:migrations/sql", "shop.db:migrations/sql"),
        ("with blank", "{here}/with blank"),
    ],
)
@pytest.mark.parametrize("place", ["app", "alembic"])
def test_a_relative_script_location_starts_at_the_inis_folder(
    place: str, written: str, expected: str, make_ini: MakeIni, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "app":
        ini = make_ini({"alembic.script_location": written})
    else:
        ini = make_ini({}, extra=f"[alembic]\nscript_location = {written}")
    here = ini.parent
    monkeypatch.chdir("/")
    settings = load_settings(os.path.relpath(ini))
    assert settings.script_location == expected.format(here=here, parent=here.parent)


@pytest.mark.parametrize(
    ("written", "separator"),
    [
        ("one two shop:three", None),
        ("one, two,shop:three", None),
        ("one\ntwo\nshop:three", None),
        ("one two shop:three", "space"),
        ("\none\ntwo\nshop:three", "newline"),
        ("one;two; shop:three", ";"),
    ],
)
@pytest.mark.parametrize("option", ["path_separator", "version_path_separator"])
def test_version_locations_are_separated_as_the_ini_says(
    written: str, separator: str | None, option: str, make_ini: MakeIni
) -> None:
    options = {"alembic.version_locations": written}
    if separator:
        options[f"alembic.{option}"] = separator
    ini = make_ini(options)
    expected = f"{ini.parent}/one\n{ini.parent}/two\nshop:three"
    assert alembic_of(ini) == {"version_locations": expected}


@pytest.mark.parametrize("separator", [":", "os"])
def test_version_locations_may_be_separated_as_in_path(separator: str, make_ini: MakeIni) -> None:
    ini = make_ini({"alembic.version_locations": "a b:/c d:e", "alembic.path_separator": separator})
    assert alembic_of(ini) == {"version_locations": f"{ini.parent}/a b\n/c d\n{ini.parent}/e"}


@pytest.mark.parametrize("written", [". src", ".:src", ".,src"])
def test_prepend_sys_path_starts_at_the_inis_folder(written: str, make_ini: MakeIni) -> None:
    ini = make_ini({"alembic.prepend_sys_path": written})
    assert alembic_of(ini) == {"prepend_sys_path": f"{ini.parent}\n{ini.parent}/src"}


@pytest.mark.parametrize("option", ["path_separator", "version_path_separator"])
def test_an_unknown_path_separator_is_explained(option: str, make_ini: MakeIni) -> None:
    error = error_of(make_ini({f"alembic.{option}": "comma", "alembic.version_locations": "a,b"}))
    assert error.message == f"`alembic.{option}` is `comma`, which is not one of its values."
    assert error.hint == "write one of: space, newline, os, `:`, `;`."


def test_the_line_of_alembics_old_template_does_no_harm(make_ini: MakeIni) -> None:
    ini = make_ini(
        {},
        extra="[alembic]\nprepend_sys_path = .\nversion_path_separator = os  # Use os.pathsep.",
    )
    assert alembic_of(ini) == {"prepend_sys_path": str(ini.parent)}


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_truncate_slug_length_that_is_no_number_is_explained(
    value: str, make_ini: MakeIni
) -> None:
    error = error_of(make_ini({"alembic.truncate_slug_length": value}))
    assert error.message == f"`alembic.truncate_slug_length` is `{value}`, which is not a number."
    assert error.hint == "write `alembic.truncate_slug_length = 40`."


# This command's own


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (0.15, 0)),
        ({"migrate.lock_timeout": "3", "migrate.statement_timeout": "0.5"}, (3, 0.5)),
        ({"migrate.lock_timeout": "${LOCK_TIMEOUT:-7}"}, (7, 0)),
    ],
)
def test_timeouts_are_seconds(
    settings: dict[str, str], expected: tuple[float, float], make_ini: MakeIni
) -> None:
    loaded: Settings = load_settings(str(make_ini(settings)))
    options = loaded.options
    assert (options.lock_timeout, options.statement_timeout) == expected


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "1e9", "5s"])
def test_a_timeout_that_is_no_number_of_seconds_is_explained(value: str, make_ini: MakeIni) -> None:
    error = error_of(make_ini({"migrate.lock_timeout": value}))
    assert (
        error.message == f"`migrate.lock_timeout` is `{value}`, which is not a number of seconds."
    )
    assert error.hint == "write a number, as in `migrate.lock_timeout = 5`."


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("lock_timout", "did you mean `migrate.lock_timeout`?"),
        ("statement-timeout", "did you mean `migrate.statement_timeout`?"),
        (
            "xyz",
            "the known ones: migrate.drift_ignore, migrate.lock, migrate.lock_patience,"
            " migrate.lock_timeout, migrate.lock_url, migrate.lock_wait,"
            " migrate.on_ahead, migrate.on_pending, migrate.retries,"
            " migrate.scratch_url, migrate.statement_timeout,"
            " migrate.transaction, migrate.wait_db.",
        ),
    ],
)
def test_an_unknown_setting_of_this_command_ends_it_and_changes_nothing(
    key: str, hint: str, make_ini: MakeIni, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_ini(
        {
            "sqlalchemy.url": sqlite_url,
            "alembic.script_location": "myapp:migrations",
            f"migrate.{key}": "5",
        }
    )
    result = invoke(ini, "upgrade")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: `migrate.{key}` is not a setting of this command.\nHint:  {hint}\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["app.ini"]
