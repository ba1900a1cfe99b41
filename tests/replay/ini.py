"""From the Config of one of Alembic's tests to an .ini file for this command."""

from pathlib import Path
from typing import Any

from alembic.config import Config

#: What every ConfigParser of Alembic has in all sections, and PasteDeploy too.
_GIVEN = ("here", "__file__")


def write_ini(config: Config) -> Path:
    """Write the settings that `config` has now into an .ini file beside its own, for this command.

    What stands in pyproject.toml is moved to the .ini file, as docs/differences.md says.
    """
    remembered = set(vars(config))
    parser = config.file_config
    sections: dict[str, dict[str, str]] = {"app:main": {"use": "egg:myapp"}}
    given = {"DEFAULT": {k: v for k, v in parser.defaults().items() if k not in _GIVEN}}
    for section in parser.sections():
        own = parser._sections[section]  # type: ignore[attr-defined]
        sections[section] = dict(own)
    _add_toml(config, sections)
    sections.setdefault("alembic", {})
    for name in set(vars(config)) - remembered:  # a test may write its files only now
        del vars(config)[name]
    own_file = Path(config.config_file_name or "alembic.ini").absolute()
    path = own_file.with_name(f"replay_{own_file.stem}.ini")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(_as_text(*each) for each in {**given, **sections}.items()), "utf-8")
    return path


def _add_toml(config: Config, sections: dict[str, dict[str, str]]) -> None:
    toml = dict(config.toml_alembic_config)
    for hook in toml.pop("post_write_hooks", []):
        section = sections.setdefault("post_write_hooks", {})
        name = hook["name"]
        section["hooks"] = " ".join([*section.get("hooks", "").split(), name])
        section.update({f"{name}.{k}": str(v) for k, v in hook.items() if k != "name"})
    for key, value in toml.items():
        sections.setdefault("alembic", {}).setdefault(key, _as_option(value))
    if any(isinstance(value, list) for value in toml.values()):
        sections["alembic"]["path_separator"] = "newline"


def _as_option(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _as_text(section: str, options: dict[str, str]) -> str:
    lines = [f"{key} = {value}".replace("\n", "\n    ") for key, value in options.items()]
    return "\n".join([f"[{section}]", *lines, "", ""])
