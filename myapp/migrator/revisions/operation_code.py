"""Write operations of Alembic as the code of a revision."""

import re
from collections.abc import Sequence

from ..base.quoting import quoted
from .ddl import Change, plain, top_level

_ENGINE = __name__.rpartition(".revisions")[0]
_BATCH = 10_000
_LONGEST = 63
_TYPES = {
    "BIGINT": "sa.BigInteger()",
    "BOOLEAN": "sa.Boolean()",
    "DATE": "sa.Date()",
    "DOUBLE PRECISION": "sa.Double()",
    "INTEGER": "sa.Integer()",
    "JSONB": "postgresql.JSONB()",
    "SMALLINT": "sa.SmallInteger()",
    "TEXT": "sa.Text()",
    "TIMESTAMP WITH TIME ZONE": "sa.DateTime(timezone=True)",
    "TIMESTAMP WITHOUT TIME ZONE": "sa.DateTime()",
    "UUID": "sa.Uuid()",
}


def not_null(change: Change, column: str) -> list[str]:
    """Return the bodies that make a column NOT NULL without a look at all rows under its lock."""
    table, name = plain(change.table), made_name(change, column, "not_null")
    return [
        new_check(change, name, f"{quoted(column)} IS NOT NULL"),
        validate(change, name),
        f"# migrate: allow set-not-null-scans because {name} has looked at all rows\n"
        f"op.alter_column({table!r}, {column!r}, nullable=False{schema_argument(change)})\n"
        f"op.drop_constraint(op.f({name!r}), {table!r}{schema_argument(change)})",
    ]


def concurrent_index(name: str, change: Change, columns: Sequence[str], options: str) -> str:
    """Return what creates an index while the application goes on writing."""
    listed = ", ".join(
        repr(plain(each)) if re.fullmatch(r'"[^"]+"|\w+', each) else text_clause(each)
        for each in columns
    )
    return (
        f"from {_ENGINE}.indexes import create_index_concurrently\n\n"
        f"create_index_concurrently({name!r}, {plain(change.table)!r}, [{listed}]{options})"
    )


def new_column(
    change: Change, column: str, type_: str, default: str = "", *, nullable: bool = True
) -> str:
    """Return what adds a column of a type, as SQL writes that."""
    known = _TYPES.get(type_.upper())
    if length := re.fullmatch(r"(?:VARCHAR|CHARACTER VARYING)\((\d+)\)", type_, re.I):
        known = f"sa.String({length[1]})"
    elif digits := re.fullmatch(r"NUMERIC\((\d+), ?(\d+)\)", type_, re.I):
        known = f"sa.Numeric({digits[1]}, {digits[2]})"
    if known is None or known.startswith("postgresql."):
        options = (f" DEFAULT {default}" if default else "") + ("" if nullable else " NOT NULL")
        add = f"ALTER TABLE {change.sql_table} ADD COLUMN {quoted(column)} {type_}{options}"
        return execute(add)
    table = plain(change.table)
    options = f", server_default={text_clause(default)}" if default else ""
    options += "" if nullable else ", nullable=False"
    made = f"sa.Column({column!r}, {known}{options})"
    return f"op.add_column({table!r}, {made}{schema_argument(change)})"


def new_default(change: Change, column: str, default: str) -> str:
    """Return what sets the default of a column, for the rows that are yet to come."""
    return (
        f"op.alter_column({plain(change.table)!r}, {column!r},"
        f" server_default={text_clause(default)}{schema_argument(change)})"
    )


def trigger(change: Change, column: str, body: str) -> str:
    """Return what fills a new column in each row that the application writes from now on."""
    name = quoted(_trigger_name(change, column))
    function = (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {body} RETURN NEW; END $$"
    )
    made = (
        f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {change.sql_table}"
        f" FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
    return f"{execute(function)}\n{execute(made)}"


def computed(change: Change, column: str, value: str) -> str:
    """Return the body of a trigger that sets a column to what `value` makes of the others."""
    row = f"(SELECT NEW.*) AS {change.table}"
    return f"SELECT {value} INTO NEW.{quoted(column)} FROM {row};"  # noqa: S608 - shown


def without_trigger(change: Change, column: str) -> list[str]:
    """Return the lines that drop what `trigger` makes."""
    name = quoted(_trigger_name(change, column))
    return [
        execute(f"DROP TRIGGER {name} ON {change.sql_table}"),
        execute(f"DROP FUNCTION {name}()"),
    ]


def fill(change: Change, column: str, value: str, *, may_be_null: bool = True) -> str:
    """Return how to fill a column in the rows that are there, some thousands at a time.

    A value that may be NULL is looked at once more: its row would come up again and again.
    """
    table, name = change.sql_table, quoted(column)
    more = f" AND ({value}) IS NOT NULL" if may_be_null else ""
    sql = (
        f"UPDATE {table} SET {name} = {value} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table}"  # noqa: S608 - shown
        f" WHERE {name} IS NULL{more} LIMIT {_BATCH} FOR UPDATE))"
    )
    # A row that another session changed meanwhile is left out of its batch.
    left = f"SELECT EXISTS (SELECT FROM {table} WHERE {name} IS NULL{more})"  # noqa: S608 - shown
    return (
        f"bind = op.get_bind()\n"
        f"with op.get_context().autocommit_block():\n"
        f"    while bind.scalar({text_clause(left)}):\n"
        f"        bind.execute({text_clause(sql)})"
    )


def new_check(change: Change, name: str, condition: str, more: str = "") -> str:
    """Return what adds a check constraint that looks at no row yet.

    `more` follows the condition in SQL.
    """
    if more:
        return execute(
            f"ALTER TABLE {change.sql_table} ADD CONSTRAINT {quoted(name)}"
            f" CHECK ({condition}) {more} NOT VALID"
        )
    return (
        f"op.create_check_constraint(op.f({name!r}), {plain(change.table)!r},"
        f" {text_clause(condition)}{schema_argument(change)}, postgresql_not_valid=True)"
    )


def validate(change: Change, name: str) -> str:
    """Return what looks at all rows for a constraint, while the application goes on."""
    return execute(f"ALTER TABLE {change.sql_table} VALIDATE CONSTRAINT {quoted(name)}")


def schema_argument(change: Change) -> str:
    """Return the schema as one more argument, if there is one."""
    return f", schema={plain(change.schema)!r}" if change.schema else ""


def names(columns: str) -> list[str]:
    """Return the names of a list of columns, without quotes."""
    return [plain(each) for each in top_level(columns)] if columns else []


def made_name(change: Change, column: str, ending: str) -> str:
    """Return the name that PostgreSQL itself gives to what is of a table and its `column`.

    It has 63 bytes at most: those of the table and of the column are cut, the longer one first.
    """
    first, second = plain(change.table), column
    room = _LONGEST - len(f"{'_' if column else ''}_{ending}")
    while len(first.encode()) + len(second.encode()) > room:
        if len(first.encode()) > len(second.encode()):
            first = first[:-1]
        else:
            second = second[:-1]
    return "_".join(filter(None, [first, second, ending]))


def execute(sql: str) -> str:
    """Return what runs a statement."""
    return f"op.execute({sql.replace(':', chr(92) + ':')!r})"


def outside(sql: str) -> str:
    """Return what runs a statement outside of any transaction."""
    return f"with op.get_context().autocommit_block():\n    {execute(sql)}"


def text_clause(sql: str) -> str:
    """Return SQL as an expression of SQLAlchemy."""
    return f"sa.text({sql.replace(':', chr(92) + ':')!r})"


def _trigger_name(change: Change, column: str) -> str:
    return made_name(change, column, "fill")
