"""`init`: make a migrations folder for an application that has none."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from alembic.config import Config

from ..base.errors import UsageError
from ..base.faces import ENVIRONMENT
from ..base.results import Scaffold
from ..bridge.context import RunContext
from ..settings.settings import Settings
from .application import Models, find_models

DEFAULT_TEMPLATE = "pyramid"
_ENV_PY = f'''"""Run the migrations: every decision stands in the .ini file and in the migrator."""

from {ENVIRONMENT} import run_migrations

run_migrations()
'''
# Files of the `alembic` command and its configuration, which are not needed here.
_NOT_COPIED = {"alembic.ini.mako", "pyproject.toml.mako", "README", "__pycache__"}
# This command sets up the logging that the .ini file has, and not every .ini file has sections for
# it, as the templates' own env.py wants.
_LOGGING = (
    "from logging.config import fileConfig\n",
    """\
# Interpret the config file for Python logging.
# This line sets up loggers basically.
if config.config_file_name is not None:
    fileConfig(config.config_file_name)
""",
)


def templates() -> dict[str, str]:
    """Return the templates of `init`, each with a line that describes it."""
    found = {DEFAULT_TEMPLATE: "Configuration from the .ini file of a Pyramid application."}
    for folder in sorted(_alembic_templates().iterdir()):
        if (readme := folder / "README").exists() and (folder / "alembic.ini.mako").exists():
            found[folder.name] = readme.read_text(encoding="utf-8").splitlines()[0]
    return found


def init(
    context: RunContext, directory: str, *, template: str = DEFAULT_TEMPLATE, package: bool = False
) -> Scaffold:
    """Make the migrations folder `directory`, relative to the working directory.

    With `package`, it and its `versions` get an `__init__.py`.

    Raises UsageError when the folder isn't empty, can't be made, or there is no such template.
    """
    if template not in templates():
        raise UsageError(
            f"There is no template `{template}`.", hint=f"choose one of: {', '.join(templates())}."
        )
    folder = Path(directory).absolute()
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty.", hint="name a new folder.")
        (folder / "versions").mkdir(parents=True)
        files = _write(folder, template, package)
    except OSError as error:
        raise UsageError(
            f"{folder} can't be made: {error.strerror}.", hint="name a folder that can be written."
        ) from None
    written = tuple(str(path) for path in sorted(files))
    return Scaffold(written, _ini_lines(context, folder, template))


def _alembic_templates() -> Path:
    return Path(Config().get_template_directory())


def _write(folder: Path, template: str, package: bool) -> list[Path]:
    ours = template == DEFAULT_TEMPLATE
    files = []
    for source in (_alembic_templates() / ("generic" if ours else template)).iterdir():
        if source.name not in _NOT_COPIED:
            files.append(Path(shutil.copy(source, folder / source.name)))
    env_py = folder / "env.py"
    if ours:
        env_py.write_text(_ENV_PY, encoding="utf-8")
    else:
        text = env_py.read_text(encoding="utf-8")
        for part in _LOGGING:
            text = text.replace(part, "")
        env_py.write_text(text, encoding="utf-8")
    if package:
        for path in (folder / "__init__.py", folder / "versions" / "__init__.py"):
            path.write_text("", encoding="utf-8")
            files.append(path)
    return files


def _model_lines(settings: Settings) -> Iterator[str]:
    models = find_models(settings) or Models("yourapp.models:Base.metadata")
    if "target_metadata" not in settings.alembic:
        yield f"alembic.target_metadata = {models.target_metadata}"
    if models.naming_convention and "naming_convention" not in settings.alembic:
        yield f"alembic.naming_convention = {models.naming_convention}"
    if models.folder and "prepend_sys_path" not in settings.alembic:
        below = models.folder.relative_to(settings.path.parent)
        yield f"alembic.prepend_sys_path = {Path('%(here)s') / below}"


def _ini_lines(context: RunContext, folder: Path, template: str) -> tuple[str, ...]:
    settings = context.settings
    here = settings.path.parent
    location = folder.relative_to(here) if folder.is_relative_to(here) else folder
    lines = [
        settings.section.partition(" ")[0],
        f"alembic.script_location = {str(location).replace('%', '%%')}",
    ]
    if template == DEFAULT_TEMPLATE:
        lines += _model_lines(settings)
    if template == "multidb":
        lines.append("alembic.databases = engine1, engine2")
        for name in ("engine1", "engine2"):
            lines += ["", f"[{name}]", f"sqlalchemy.url = sqlite:///%(here)s/{name}.sqlite"]
    return tuple(lines)
