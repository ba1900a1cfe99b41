"""What is wrong with an .ini file, and what to do about it."""

import configparser
import os
from pathlib import Path

from ..base.errors import SettingsError
from ..base.spelling import nearest


def is_a_folder(path: Path) -> SettingsError:
    """Return the error of a folder that was given in place of an .ini file."""
    names = sorted(_ini_files(path))
    return SettingsError(
        f"{path} is a folder, not an .ini file.",
        hint=f"name one of its files: {', '.join(names)}." if names else "name the .ini file.",
    )


def missing_file(path: Path) -> SettingsError:
    """Return the error of an .ini file that is not there."""
    if path.is_symlink():
        return SettingsError(
            f"{path} is a link to {os.readlink(path)}, which does not exist.", hint="fix the link."
        )
    near = nearest(path.name, _ini_files(path.parent), 0.5)
    hint = f"did you mean `{near}`?" if near else "give the path of the application's .ini file."
    return SettingsError(f"No such file: {path}.", hint=hint)


def _ini_files(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.ini") if path.is_file()]


def missing_section(path: Path, name: str, sections: list[str]) -> SettingsError:
    """Return the error of an application `name` that none of the file's `sections` is for."""
    apps = [s.partition(":")[2] for s in sections if s.startswith(("app:", "application:"))]
    near = nearest(name, apps) or next(iter(apps), None)
    hint = f"its applications: {', '.join(apps)}; write `{path.name}#{near}`." if apps else None
    return SettingsError(
        f"{path} has no section [app:{name}], so there are no settings to read.",
        hint=hint
        or f"add a section [app:{name}] with `use = egg:PACKAGE` and `sqlalchemy.url` in it.",
    )


def unreadable(path: Path, error: OSError | UnicodeError) -> SettingsError:
    """Return the error of a file that can't be opened, or is not text."""
    if isinstance(error, UnicodeError):
        return SettingsError(
            f"{path} can't be read: it is not UTF-8.", hint="save it as UTF-8 text."
        )
    reason = error.strerror or type(error).__name__
    if error.filename and os.path.abspath(error.filename) != str(path):
        return SettingsError(
            f"{path} can't be read: it uses {error.filename}: {reason}.",
            hint="fix the `config:` that names it.",
        )
    return SettingsError(f"{path} can't be read: {reason}.", hint="let this user read it.")


def misled(path: Path, error: LookupError | RecursionError) -> SettingsError:
    """Return the error of a section that refers to one that is missing, or to itself."""
    if isinstance(error, KeyError):
        return SettingsError(
            f"{path} can't be read: a `get` asks for `{error.args[0]}`, which is not set.",
            hint="set it in [DEFAULT], or give it as NAME=VALUE after the .ini file.",
        )
    circle = "the sections that it uses lead in a circle"
    return SettingsError(
        f"{path} can't be read: {circle if isinstance(error, RecursionError) else error}.",
        hint="fix that section's `pipeline` or `next`, or its `use`, as in `use = egg:PACKAGE`.",
    )


def bad_syntax(path: Path | str, error: configparser.Error) -> SettingsError:
    """Return the error of a syntax error, without the text of the line: it may hold a password."""
    match error:
        case configparser.InterpolationError(option="here" | "__file__"):
            return SettingsError(
                f"The path {path} has a `%` in it, which PasteDeploy takes for a variable.",
                hint="rename that folder or file.",
            )
        case configparser.InterpolationError(section=section, option=option):
            given = ", or given as NAME=VALUE," if section == "DEFAULT" else ""
            return SettingsError(
                f"`{option}` in [{section}] of {path}{given} has a `%` that can't be expanded.",
                hint="write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT]"
                " or as NAME=VALUE after the .ini file.",
            )
        case configparser.DuplicateOptionError(section=section, option=option, lineno=line):
            what = f"line {line} sets `{option}` in [{section}] a second time"
        case configparser.DuplicateSectionError(section=section, lineno=line):
            what = f"line {line} opens the section [{section}] a second time"
        case configparser.MissingSectionHeaderError(line=text) if text.startswith("\ufeff"):
            return SettingsError(
                f"{path} starts with a byte order mark, which PasteDeploy can't read.",
                hint="save it as UTF-8 without BOM.",
            )
        case configparser.MissingSectionHeaderError(lineno=line):
            what = f"line {line} stands before any [section]"
        case configparser.ParsingError(errors=errors) if errors:
            what = f"line {errors[0][0]} is neither `key = value` nor a [section]"
        case _:
            what = type(error).__name__
    return SettingsError(f"{path} is not a valid .ini file: {what}.", hint="fix that line.")
