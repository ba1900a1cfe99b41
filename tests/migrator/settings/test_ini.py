"""The .ini file is read as PasteDeploy reads it for `pserve`, and no application is loaded."""

import os
import sys
from configparser import InterpolationError
from pathlib import Path
from textwrap import dedent

import plaster
import pytest
from support import wsgi

from myapp.migrator.base.errors import SettingsError
from myapp.migrator.settings.ini import IniFile, read_ini

#: Each a folder of .ini files, of which `app.ini` is loaded.
ONE_APPLICATION = {
    "here, own folder and own name": """
        [app:main]
        use = call:support.wsgi:App
        sqlalchemy.url = sqlite:///%(here)s/app.sqlite
        file = %(__file__)s
        """,
    "a percent sign": """
        [app:main]
        use = call:support.wsgi:App
        sqlalchemy.url = postgresql://deploy:p%%40ss%%25@/db
        alembic.file_template = %%(year)d_%%(rev)s
        """,
    "values over several lines, comments, and case": """
        [app:main]
        use = call:support.wsgi:App
        # comment = 1
        ; comment = 2
        alembic.version_locations =
            one
            # comment
            two
        Key = upper
        key = lower
        equals = a = b ; no comment
        colon: value
        empty =
        """,
    "[DEFAULT] gives values to interpolate and drops its keys": """
        [DEFAULT]
        db = from_default
        sqlalchemy.url = sqlite:///dropped
        greeting = %(db)s in %(here)s
        [app:main]
        use = call:support.wsgi:App
        sqlalchemy.url = sqlite:///dropped_too
        alembic.version_table = %(db)s_versions
        said = %(greeting)s
        """,
    "set makes a global value, and get takes one": """
        [DEFAULT]
        db = sqlite:///default
        unused = 1
        [app:main]
        use = call:support.wsgi:App
        set db = sqlite:///set
        set debug = true
        get sqlalchemy.url = db
        get debugging = debug
        get here = here
        """,
    "use = egg:": "[app:main]\nuse = egg:recorder\nkey = value\n",
    "use = egg: with a name": "[app:main]\nuse = egg:recorder#other\nkey = value\n",
    "paste.app_factory": "[app:main]\npaste.app_factory = support.wsgi:App\nkey = value\n",
    "[application:main]": "[application:main]\nuse = egg:recorder\nkey = value\n",
    "[app]": "[app]\nuse = egg:recorder\n[app:main]\nuse = egg:recorder\nkey = value\n",
    "a blank after the colon": "[app: main]\nuse = egg:recorder\nkey = value\n",
    "require": "[app:main]\nuse = egg:recorder\nrequire = pyramid sqlalchemy\nkey = value\n",
    "filter-with": """
        [app:main]
        use = egg:recorder
        filter-with = translogger
        key = value
        [filter:translogger]
        use = egg:recorder
        key = of the filter
        """,
    "use = another section, with values overridden": """
        [app:main]
        use = base
        key = main
        added = main
        [app:base]
        use = egg:recorder
        key = base
        inherited = base
        """,
    "use = config:, with values overridden": """
        [app:main]
        use = config:sub/base.ini
        key = app
        added = %(here)s
        --- sub/base.ini
        [app:main]
        use = egg:recorder
        key = base
        inherited = %(here)s
        """,
    "use = config:, whose [DEFAULT] is its own": """
        [DEFAULT]
        db = app
        [app:main]
        use = config:base.ini
        own = %(db)s
        --- base.ini
        [DEFAULT]
        db = base
        [app:main]
        use = egg:recorder
        inherited = %(db)s
        get got = db
        """,
    "use = config: with a name, twice": """
        [app:main]
        use = config:sub/one.ini#one
        key = app
        --- sub/one.ini
        [app:one]
        use = config:deeper/two.ini#two
        key = one
        one = %(here)s
        --- sub/deeper/two.ini
        [app:two]
        paste.app_factory = support.wsgi:App
        key = two
        two = %(here)s
        """,
    "use = config: with a quoted name": """
        [app:main]
        use = config:with%%20blank.ini
        --- with blank.ini
        [app:main]
        use = egg:recorder
        key = value
        """,
}

PIPELINES = {
    "[pipeline:main]": """
        [pipeline:main]
        pipeline = one two site
        [filter:one]
        use = egg:recorder
        key = of filter one
        [filter:two]
        paste.filter_factory = support.wsgi:make_filter
        key = of filter two
        [app:site]
        use = egg:recorder
        key = value
        """,
    "[pipeline:main] to a pipeline in another file": """
        [pipeline:main]
        pipeline = one config:other.ini#inner
        [filter:one]
        paste.filter_app_factory = support.wsgi:filter_app
        --- other.ini
        [pipeline:inner]
        pipeline = egg:recorder site
        [app:site]
        use = call:support.wsgi:App
        key = value
        """,
    "[filter-app:main]": """
        [filter-app:main]
        use = egg:recorder
        next = site
        key = of the filter
        [app:site]
        use = egg:recorder
        key = value
        """,
    "[filter-app:main] with a factory": """
        [filter-app:main]
        paste.filter_factory = support.wsgi:make_filter
        next = site
        [app:site]
        use = egg:recorder
        key = value
        """,
    "filter-with over another file": """
        [app:main]
        use = config:other.ini
        filter-with = one
        key = main
        [filter:one]
        use = egg:recorder
        filter-with = two
        [filter:two]
        use = egg:recorder
        --- other.ini
        [app:main]
        use = egg:recorder
        key = base
        inherited = base
        """,
    "use = config: of an application with filter-with": """
        [app:main]
        use = config:base.ini
        key = of the filter's context
        --- base.ini
        [app:main]
        use = egg:recorder
        filter-with = one
        key = value
        [filter:one]
        use = egg:recorder
        """,
    "a pipeline in a pipeline, over filter-with": """
        [DEFAULT]
        db = default
        [pipeline:main]
        pipeline = one inner
        [pipeline:inner]
        pipeline = one site
        [filter:one]
        use = egg:recorder
        [app:site]
        use = egg:recorder
        filter-with = one
        set db = set
        get sqlalchemy.url = db
        """,
}

COMPOSITES = {
    "[composite:main]": """
        [composite:main]
        use = egg:recorder#urls
        / = home
        /api = api
        [app:home]
        use = egg:recorder
        key = of home
        [app:api]
        use = egg:recorder
        sqlalchemy.url = sqlite:///%(here)s/api.sqlite
        """,
    "[composite:main] with a factory, over a pipeline in another file": """
        [DEFAULT]
        db = sqlite:///default
        [composite:main]
        paste.composite_factory = support.wsgi:make_composite
        / = home
        /api = config:other.ini
        [app:home]
        use = egg:recorder
        --- other.ini
        [pipeline:main]
        pipeline = egg:recorder api
        [app:api]
        use = egg:recorder
        get sqlalchemy.url = db
        """,
    "[composite:main] that sets a value for its applications": """
        [composite:main]
        use = call:support.wsgi:make_composite
        set db = sqlite:///set
        / = home
        [app:home]
        use = egg:recorder
        get sqlalchemy.url = db
        """,
    "[composite:main] with one application, which has no database": """
        [composite:main]
        use = egg:recorder#urls
        / = home
        [app:home]
        use = egg:recorder
        key = value
        """,
}


@pytest.fixture(autouse=True)
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install `egg:recorder`."""
    wsgi.install(tmp_path / "site-packages", "recorder", wsgi.ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")


def write(folder: Path, text: str) -> Path:
    """Write `app.ini` and the files that follow it after `--- name`."""
    first, *others = dedent(text).split("--- ")
    (folder / "app.ini").write_text(first)
    for other in others:
        name, _, content = other.partition("\n")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "app.ini"


def error_of(path: Path, section: str | None = None, **variables: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read_ini(path, section, variables)
    return caught.value


@pytest.mark.parametrize("text", ONE_APPLICATION.values(), ids=ONE_APPLICATION)
def test_the_settings_are_those_of_plaster(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    expected = plaster.get_loader(str(path), protocols=["wsgi"]).get_wsgi_app_settings()
    assert read_ini(path, None, {}).app == dict(expected)


@pytest.mark.parametrize(
    "text",
    [*ONE_APPLICATION.values(), *PIPELINES.values()],
    ids=[*ONE_APPLICATION, *PIPELINES],
)
def test_the_settings_are_those_that_the_application_receives(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    app = plaster.get_loader(str(path), protocols=["wsgi"]).get_wsgi_app()
    settings = read_ini(path, None, {}).app
    assert settings
    assert settings == app.settings


@pytest.mark.parametrize("text", COMPOSITES.values(), ids=COMPOSITES)
def test_a_composite_answers_for_its_application_with_a_database(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    apps = plaster.get_loader(str(path), protocols=["wsgi"]).get_wsgi_app()
    with_database = [app for app in apps if "sqlalchemy.url" in app.settings] or apps
    assert [read_ini(path, None, {}).app] == [app.settings for app in with_database]


NAMED = """
    [DEFAULT]
    db = default
    [app:main]
    use = egg:recorder
    key = of main
    [app:admin]
    use = egg:recorder
    key = of admin
    db_seen = %(db)s
    get db_got = db
    seen_port = %(port)s
    dropped = for a variable of its name
    """


@pytest.mark.parametrize(
    "variables", [{"port": "80", "dropped": "x"}, {"port": "80", "db": "variable"}]
)
def test_a_named_application_with_variables_is_as_plaster_has_it(
    variables: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, NAMED)
    loader = plaster.get_loader(f"{path}#admin", protocols=["wsgi"])
    expected = loader.get_wsgi_app_settings(None, variables)
    assert loader.get_wsgi_app(None, variables).settings == expected
    ini = read_ini(path, "admin", variables)
    assert ini.app == dict(expected)
    assert ini.section == f"[app:admin] in {path}"
    assert ini.app["seen_port"] == "80"


def test_a_variable_does_not_override_default_where_it_is_interpolated(tmp_path: Path) -> None:
    ini = read_ini(write(tmp_path, NAMED), "admin", {"port": "80", "db": "variable"})
    assert (ini.app["db_seen"], ini.app["db_got"]) == ("default", "variable")


def test_a_variable_reaches_the_file_that_is_used(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [app:main]
        use = config:base.ini
        --- base.ini
        [app:main]
        use = egg:recorder
        sqlalchemy.url = sqlite:///%(db)s
        """,
    )
    loader = plaster.get_loader(str(path), protocols=["wsgi"])
    expected = {"sqlalchemy.url": "sqlite:///test"}
    assert loader.get_wsgi_app(None, {"db": "test"}).settings == expected
    assert read_ini(path, None, {"db": "test"}).app == expected


BROKEN = {
    "use = egg:": "[app:main]\nuse = egg:broken\nkey = value\n",
    "use = egg: of what is not installed": "[app:main]\nuse = egg:nowhere\nkey = value\n",
    "use = call:": "[app:main]\nuse = call:broken_application:main\nkey = value\n",
    "paste.app_factory": "[app:main]\npaste.app_factory = broken_application:main\nkey = value\n",
    "require": "[app:main]\nuse = egg:broken\nrequire = nowhere\nkey = value\n",
    "filters": """
        [pipeline:main]
        pipeline = one two three egg:broken site
        [filter:one]
        use = call:broken_application:main
        [filter:two]
        paste.filter_factory = broken_application:main
        [filter:three]
        paste.filter_app_factory = broken_application:main
        [app:site]
        use = egg:broken
        filter-with = two
        key = value
        """,
    "a composite": """
        [composite:main]
        paste.composite_factory = broken_application:main
        / = site
        [app:site]
        use = egg:broken
        key = value
        """,
    "a composite by its older name": """
        [composit:main]
        paste.composit_factory = broken_application:main
        / = site
        [app:site]
        paste.app_factory = broken_application:main
        key = value
        """,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_an_application_that_cannot_be_imported_does_not_matter(text: str, tmp_path: Path) -> None:
    site_packages = tmp_path / "site-packages"
    wsgi.install(site_packages, "broken", "[paste.app_factory]\nmain = broken_application:main\n")
    (site_packages / "broken_application.py").write_text("raise RuntimeError('not today')\n")
    path = write(tmp_path, text)
    with pytest.raises((RuntimeError, ModuleNotFoundError)):
        plaster.get_loader(str(path), protocols=["wsgi"]).get_wsgi_app()
    sys.modules.pop("broken_application", None)
    assert read_ini(path, None, {}).app == {"key": "value"}
    assert "broken_application" not in sys.modules


def test_several_applications_with_a_database_have_to_be_told_apart(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [composite:main]
        use = egg:recorder#urls
        / = home
        /api = api
        /admin = admin
        [app:home]
        use = egg:recorder
        [app:api]
        use = egg:recorder
        sqlalchemy.url = sqlite:///api
        [app:admin]
        use = egg:recorder
        sqlalchemy.url = sqlite:///admin
        """,
    )
    error = error_of(path)
    assert error.message == (
        f"[composite:main] in {path} has several applications with a database: api, admin."
    )
    assert error.hint == "name one: `app.ini#api`."
    assert read_ini(path, "admin", {}).app == {"sqlalchemy.url": "sqlite:///admin"}


def test_an_option_of_a_composite_is_not_taken_for_an_application(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [composite:main]
        use = egg:recorder#urls
        catch = 404
        proxy = http://example.com
        / = home
        [app:home]
        use = egg:recorder
        sqlalchemy.url = sqlite:///home
        """,
    )
    assert read_ini(path, None, {}).app == {"sqlalchemy.url": "sqlite:///home"}


SECTIONS = {
    "[app:main]": "use = egg:",
    "[application:main]": "[application:main]",
    "[app: main]": "a blank after the colon",
    "[app:main] ": "use = another section, with values overridden",
    "[app:main]  ": "use = config:, with values overridden",
    "[app:main]   ": "filter-with",
    "[app:site]": "[pipeline:main]",
    "[app:site] ": "[filter-app:main]",
    "[app:api]": "[composite:main]",
}


@pytest.mark.parametrize(("section", "name"), SECTIONS.items())
def test_the_section_is_the_one_that_holds_the_settings(
    section: str, name: str, tmp_path: Path
) -> None:
    path = write(tmp_path, (ONE_APPLICATION | PIPELINES | COMPOSITES)[name])
    assert read_ini(path, None, {}).section == f"{section.strip()} in {path}"


def test_an_application_in_a_pipeline_may_have_no_section(tmp_path: Path) -> None:
    path = write(tmp_path, "[pipeline:main]\npipeline = egg:recorder egg:recorder#other\n")
    ini = read_ini(path, None, {})
    assert (ini.section, ini.app) == (f"`egg:recorder#other` in {path}", {})


def test_the_section_may_stand_in_another_file(tmp_path: Path) -> None:
    path = write(tmp_path, PIPELINES["[pipeline:main] to a pipeline in another file"])
    assert read_ini(path, None, {}).section == f"[app:site] in {tmp_path}/other.ini"


ALEMBIC = """
    [DEFAULT]
    name = shop
    [app:main]
    use = egg:recorder
    [alembic]
    script_location = %(here)s/%(name)s/alembic
    file_template = %%(year)d_%%(rev)s
    version_table = %(table)s
    """


def test_the_alembic_section_is_read(tmp_path: Path) -> None:
    ini = read_ini(write(tmp_path, ALEMBIC), None, {"table": "versions", "name": "variable"})
    assert ini.alembic == {
        "script_location": f"{tmp_path}/shop/alembic",
        "file_template": "%(year)d_%(rev)s",
        "version_table": "versions",
    }


def test_the_alembic_section_holds_its_own_keys_only(tmp_path: Path) -> None:
    ini = read_ini(
        write(
            tmp_path, "[DEFAULT]\na = 1\nb = 1\n[app:main]\nuse = egg:recorder\n[alembic]\nb = 2\n"
        ),
        None,
        {"c": "3"},
    )
    assert ini.alembic == {"b": "2"}


def test_the_alembic_section_has_the_options_of_alembic_that_stand_in_default(
    tmp_path: Path,
) -> None:
    text = "[DEFAULT]\nscript_location = m\nport = 80\n[app:main]\nuse = egg:recorder\n[alembic]\n"
    ini = read_ini(write(tmp_path, text), None, {})
    assert ini.alembic == {"script_location": "m"}


def test_an_ini_without_an_alembic_section_has_no_options(tmp_path: Path) -> None:
    assert read_ini(write(tmp_path, NAMED), None, {"port": "80"}).alembic == {}


@pytest.mark.parametrize(
    ("extra", "has_logging"), [("", False), ("[loggers]\nkeys = root\n", True)]
)
def test_it_tells_whether_logging_is_configured(
    extra: str, has_logging: bool, tmp_path: Path
) -> None:
    path = write(tmp_path, f"[app:main]\nuse = egg:recorder\n{extra}")
    assert read_ini(path, None, {}).has_logging is has_logging


def test_no_value_is_shown_by_accident(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "[DEFAULT]\na = s3cret\n[alembic]\nc = s3cret\n[app:main]\nuse = egg:x\nb = s3cret\n",
    )
    ini = read_ini(path, None, {})
    assert isinstance(ini, IniFile)
    assert "s3cret" not in repr(ini)


PREFIXES = "'app' or 'application' or 'composite' or 'composit' or 'pipeline' or 'filter-app'"
NOWHERE = f"No section 'nowhere' (prefixed by {PREFIXES}) found in config {{path}}"
AMBIGUOUS = (
    "Ambiguous section names ['app:main', 'pipeline:main'] for section 'main'"
    f" (prefixed by {PREFIXES}) found in config {{path}}"
)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "key = value\n",
            "{path} is not a valid .ini file: line 1 stands before any [section].",
            "fix that line.",
        ),
        (
            "[app:main]\ns3cret\n",
            "{path} is not a valid .ini file: line 2 is neither `key = value` nor a [section].",
            "fix that line.",
        ),
        (
            "[app:main]\na = 1\na = s3cret\n",
            "{path} is not a valid .ini file: line 3 sets `a` in [app:main] a second time.",
            "fix that line.",
        ),
        (
            "[app:main]\n[app:main]\n",
            "{path} is not a valid .ini file: line 2 opens the section [app:main] a second time.",
            "fix that line.",
        ),
        (
            "[app:main]\nuse = egg:recorder\nsqlalchemy.url = postgresql://u:s3cret%40@/db\n",
            "`sqlalchemy.url` in [app:main] of {path} has a `%` that can't be expanded.",
            "write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT] or as"
            " NAME=VALUE after the .ini file.",
        ),
        (
            "[app:main]\nuse = egg:recorder\nsqlalchemy.url = sqlite:///s3cret/%(db)s\n",
            "`sqlalchemy.url` in [app:main] of {path} has a `%` that can't be expanded.",
            "write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT] or as"
            " NAME=VALUE after the .ini file.",
        ),
        (
            "[app:main]\nuse = egg:recorder\n[alembic]\nfile_template = %(year)d\n",
            "`file_template` in [alembic] of {path} has a `%` that can't be expanded.",
            "write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT] or as"
            " NAME=VALUE after the .ini file.",
        ),
        (
            "[app:main]\nsqlalchemy.url = s3cret\n",
            "{path} can't be read: No loader given in section 'app:main'.",
            "fix that section's `pipeline` or `next`, or its `use`, as in `use = egg:PACKAGE`.",
        ),
        (
            "[app:main]\nuse = egg:recorder\nget sqlalchemy.url = db\n",
            "{path} can't be read: a `get` asks for `db`, which is not set.",
            "set it in [DEFAULT], or give it as NAME=VALUE after the .ini file.",
        ),
        (
            "[app:main]\nuse = config:app.ini\n",
            "{path} can't be read: the sections that it uses lead in a circle.",
            "fix that section's `pipeline` or `next`, or its `use`, as in `use = egg:PACKAGE`.",
        ),
        (
            "[app:main]\nuse = config:missing.ini\n",
            "{path} can't be read: it uses {folder}/missing.ini: No such file or directory.",
            "fix the `config:` that names it.",
        ),
        (
            "[app:main]\nuse = nowhere\n",
            f"{{path}} can't be read: {NOWHERE}.",
            "fix that section's `pipeline` or `next`, or its `use`, as in `use = egg:PACKAGE`.",
        ),
        (
            "[pipeline:main]\npipeline = nowhere\n",
            f"{{path}} can't be read: {NOWHERE}.",
            "fix that section's `pipeline` or `next`, or its `use`, as in `use = egg:PACKAGE`.",
        ),
        (
            "[app:main]\nuse = egg:recorder\n[pipeline:main]\npipeline = x\n",
            f"{{path}} can't be read: {AMBIGUOUS}.",
            "fix that section's `pipeline` or `next`, or its `use`, as in `use = egg:PACKAGE`.",
        ),
        (
            "[app:admin]\nuse = egg:recorder\n[app:site]\nuse = egg:recorder\n",
            "{path} has no section [app:main], so there are no settings to read.",
            "its applications: admin, site; write `app.ini#admin`.",
        ),
        (
            "[server:main]\nuse = egg:waitress#main\n",
            "{path} has no section [app:main], so there are no settings to read.",
            "add a section [app:main] with `use = egg:PACKAGE` and `sqlalchemy.url` in it.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(
    text: str, message: str, hint: str, tmp_path: Path
) -> None:
    path = write(tmp_path, text)
    error = error_of(path)
    assert error.message == message.format(path=path, folder=tmp_path)
    assert error.hint == hint


def test_a_variable_with_a_percent_sign_is_explained_as_pserve_refuses_it_too(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "[app:main]\nuse = egg:recorder\nsqlalchemy.url = %(url)s\n")
    loader = plaster.get_loader(str(path), protocols=["wsgi"])
    variables = {"url": "postgresql://u:s3cret%40@/db"}
    with pytest.raises(InterpolationError):
        loader.get_wsgi_app(None, variables)
    error = error_of(path, None, **variables)
    assert error.message == (
        f"`url` in [DEFAULT] of {path}, or given as NAME=VALUE, has a `%` that can't be expanded."
    )
    escaped = {"url": "postgresql://u:s3cret%%40@/db"}
    assert read_ini(path, None, escaped).app == loader.get_wsgi_app(None, escaped).settings


def test_a_file_that_is_not_utf_8_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "app.ini"
    path.write_bytes(b"[app:main]\nuse = egg:recorder\nname = M\xfcller\n")
    error = error_of(path)
    assert error.message == f"{path} can't be read: it is not UTF-8."
    assert error.hint == "save it as UTF-8 text."


def test_a_missing_file_is_explained_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "development.ini").touch()
    error = error_of(tmp_path / "develpment.ini")
    assert error.message == f"No such file: {tmp_path}/develpment.ini."
    assert error.hint == "did you mean `development.ini`?"


def test_a_missing_file_in_an_empty_folder_is_explained(tmp_path: Path) -> None:
    error = error_of(tmp_path / "app.ini")
    assert error.message == f"No such file: {tmp_path}/app.ini."
    assert error.hint == "give the path of the application's .ini file."


def test_a_folder_is_explained(tmp_path: Path) -> None:
    error = error_of(tmp_path)
    assert error.message == f"{tmp_path} is a folder, not an .ini file."
    assert error.hint == "name the .ini file."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_explained(tmp_path: Path) -> None:
    path = write(tmp_path, NAMED)
    path.chmod(0)
    assert error_of(path).message == f"{path} can't be read: Permission denied."
