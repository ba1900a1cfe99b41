"""`init`: every template gives a folder in which migrations can be written and run."""

from pathlib import Path

import pytest
from support.command import invoke, run
from support.database import tables
from support.ini import MakeIni, write_ini

from myapp.migrator.base.errors import UsageError
from myapp.migrator.commands.scaffold import init, templates
from myapp.migrator.config import run_context


def add_lines(ini: Path, lines: list[str]) -> None:
    """Follow the instructions: add to the sections that are named."""
    text = ini.read_text()
    sections = "\n".join(lines).split("\n[")
    own, others = sections[0].splitlines(), [f"[{section}\n" for section in sections[1:]]
    assert own[0] == "[app:main]"
    text = text.replace("[app:main]\n", "\n".join([*own, ""]), 1)
    ini.write_text(text + "\n".join(others))


@pytest.mark.parametrize("template", templates())
def test_every_template_can_be_used(
    tmp_path: Path, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = "sqlite+aiosqlite" if template.endswith("async") else "sqlite"
    url = f"{driver}:///{tmp_path / 'test.sqlite'}"
    ini = write_ini(tmp_path / "app.ini", {"sqlalchemy.url": url})
    databases = ["engine1", "engine2"] if template == "multidb" else ["test"]

    monkeypatch.chdir(tmp_path)
    made = invoke(ini, "init", "migrations", "--template", template)
    assert made.returncode == 0, made.stderr
    lines = made.stdout.split("Add to the .ini file:\n")[1].splitlines()
    add_lines(ini, [line[4:] for line in lines])
    monkeypatch.chdir("/")
    written = invoke(ini, "revision", "-m", "First", "--rev-id", "aaa111")
    assert written.returncode == 0, written.stderr
    (path,) = (tmp_path / "migrations" / "versions").glob("*.py")
    statement = 'schema."""\n    op.execute("CREATE TABLE a (id INTEGER)")\n'
    path.write_text(path.read_text().replace('schema."""\n', statement, 1))
    done = run(ini, "upgrade", cwd="/")
    assert done.returncode == 0, done.stderr
    for name in databases:
        assert tables(f"sqlite:///{tmp_path / name}.sqlite") == {"a", "alembic_version"}
    names = [f"sqlite:///{tmp_path / name}.sqlite: " for name in databases]
    current = "".join(f"{name if names[1:] else ''}aaa111 (head), First\n" for name in names)
    assert run(ini, "current", cwd="/").stdout == current


def test_the_default_template_is_this_packages_own(make_ini: MakeIni, tmp_path: Path) -> None:
    config = run_context(make_ini({"sqlalchemy.url": "sqlite://"}))

    made = init(config, str(tmp_path / "my migrations"))

    assert made.files == (
        str(tmp_path / "my migrations" / "env.py"),
        str(tmp_path / "my migrations" / "script.py.mako"),
    )
    assert made.ini_lines == (
        "[app:main]",
        "alembic.script_location = my migrations",
        "alembic.target_metadata = myapp.models.meta:Base.metadata",
        "alembic.naming_convention = myapp.models.meta:NAMING_CONVENTION",
    )
    assert (tmp_path / "my migrations" / "env.py").read_text() == (
        '"""Run the migrations: every decision stands in the .ini file and in the migrator."""\n'
        "\nfrom myapp.migrator.environment import run_migrations\n\nrun_migrations()\n"
    )
    assert (tmp_path / "my migrations" / "versions").is_dir()


@pytest.mark.parametrize("template", templates())
def test_no_env_py_wants_logging_sections(template: str, make_ini: MakeIni, tmp_path: Path) -> None:
    init(
        run_context(make_ini({"sqlalchemy.url": "sqlite://"})),
        str(tmp_path / "new"),
        template=template,
    )

    text = (tmp_path / "new" / "env.py").read_text()
    assert not [word for word in ("fileConfig", "config_file_name", "loggers") if word in text]


def test_with_package_the_folders_are_packages(make_ini: MakeIni, tmp_path: Path) -> None:
    config = run_context(make_ini({"sqlalchemy.url": "sqlite://"}))

    init(config, str(tmp_path / "shop" / "migrations"), package=True)

    assert (tmp_path / "shop" / "migrations" / "__init__.py").exists()
    assert (tmp_path / "shop" / "migrations" / "versions" / "__init__.py").exists()


def test_the_lines_name_the_section_and_what_it_lacks(make_ini: MakeIni, tmp_path: Path) -> None:
    section = "[app:shop]\nuse = egg:myapp\nalembic.target_metadata = shop:metadata\n"
    ini = make_ini({"sqlalchemy.url": "sqlite://"}, extra=section)

    made = init(run_context(f"{ini}#shop"), str(tmp_path / "100%"))

    assert made.ini_lines == ("[app:shop]", "alembic.script_location = 100%%")


def test_a_folder_elsewhere_is_named_with_its_whole_path(make_ini: MakeIni, tmp_path: Path) -> None:
    config = run_context(make_ini({"sqlalchemy.url": "sqlite://"}, name="etc/app.ini"))

    made = init(config, str(tmp_path / "migrations"))

    assert made.ini_lines[1] == f"alembic.script_location = {tmp_path / 'migrations'}"


def test_a_relative_folder_is_made_in_the_working_directory(
    make_ini: MakeIni, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    init(run_context(make_ini({"sqlalchemy.url": "sqlite://"}, name="etc/app.ini")), "new")

    assert (tmp_path / "new" / "env.py").exists()


def test_a_folder_that_is_not_empty_is_left_alone(make_ini: MakeIni, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "mine.txt").write_text("mine")

    with pytest.raises(UsageError) as raised:
        init(run_context(make_ini({"sqlalchemy.url": "sqlite://"})), str(tmp_path / "migrations"))

    assert raised.value.message == f"{tmp_path / 'migrations'} is not empty."
    assert [path.name for path in (tmp_path / "migrations").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("folder", "why"), [("app.ini", "Not a directory"), ("app.ini/below", "Not a directory")]
)
def test_a_folder_that_cannot_be_made_is_told(
    make_ini: MakeIni, tmp_path: Path, folder: str, why: str
) -> None:
    config = run_context(make_ini({"sqlalchemy.url": "sqlite://"}))

    with pytest.raises(UsageError) as raised:
        init(config, str(tmp_path / folder))

    assert raised.value.message == f"{tmp_path / folder} can't be made: {why}."
    assert raised.value.hint == "name a folder that can be written."


def test_an_unknown_template_is_told(make_ini: MakeIni, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        init(
            run_context(make_ini({"sqlalchemy.url": "sqlite://"})),
            str(tmp_path / "migrations"),
            template="nope",
        )

    assert raised.value.message == "There is no template `nope`."
    assert raised.value.hint == (
        "choose one of: pyramid, async, generic, multidb, pyproject, pyproject_async."
    )
    assert not (tmp_path / "migrations").exists()


def test_the_templates_are_listed_with_what_they_are_for(make_ini: MakeIni) -> None:
    done = invoke(make_ini({"sqlalchemy.url": "sqlite://"}), "list-templates")

    assert done.returncode == 0
    assert done.stdout.splitlines()[:3] == [
        "pyramid          Configuration from the .ini file of a Pyramid application.",
        "async            Generic single-database configuration with an async dbapi.",
        "generic          Generic single-database configuration.",
    ]
