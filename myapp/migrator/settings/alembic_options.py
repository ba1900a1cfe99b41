"""The options of Alembic, and which key is likely to be a misspelling of one."""

from collections.abc import Iterable, Iterator

from ..base.spelling import is_slip

#: README's table of settings lists the same. An env.py may read others, under any name.
OPTIONS = frozenset(
    {
        "alembic_module_prefix",
        "compare_server_default",
        "compare_type",
        "file_template",
        "include_schemas",
        "output_encoding",
        "path_separator",
        "prepend_sys_path",
        "recursive_version_locations",
        "render_as_batch",
        "revision_environment",
        "script_location",
        "sourceless",
        "sqlalchemy_module_prefix",
        "target_metadata",
        "timezone",
        "truncate_slug_length",
        "user_module_prefix",
        "version_locations",
        "version_table",
        "version_table_pk",
        "version_table_schema",
    }
)
_OLD_NAMES = {"version_path_separator"}


def misspellings(given: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each key that is one slip away from an option that isn't given.

    `script_location` is left out: the error that it is missing names the slip.
    """
    given = set(given)
    for key in sorted(given - OPTIONS - _OLD_NAMES):
        for option in sorted(OPTIONS - given - {"script_location"}):
            if is_slip(key, option):
                yield (
                    f"`alembic.{key}` is not an option of Alembic: did you mean `alembic.{option}`?"
                )
