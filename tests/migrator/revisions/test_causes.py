"""Which part of a statement is dangerous, and where there is no safe way, why."""

import pytest

from myapp.migrator.revisions.causes import causes, remedy, why_none
from myapp.migrator.revisions.ddl import changes
from myapp.migrator.revisions.safe_ways import NEXT

UNKNOWN = "No safe way is known: run it when nobody needs the table."


@pytest.mark.parametrize(
    ("sql", "rules"),
    [
        ("ALTER TABLE t ADD n integer", []),
        ("ALTER TABLE t ADD CHECK (a > 0) NOT VALID, ADD UNIQUE USING INDEX i", []),
        ("ALTER TABLE t ADD n integer NOT NULL DEFAULT now()", []),
        ("ALTER TABLE t ADD n text DEFAULT 'a DEFAULT random()' COLLATE \"C\"", []),
        ("ALTER TABLE t ADD n integer CHECK (n > 0)", ["check-validated-at-once"]),
        ("ALTER TABLE t ADD n integer DEFAULT 1 UNIQUE", ["unique-constraint-builds-index"]),
        (
            "ALTER TABLE t ALTER a TYPE bigint, ALTER b SET NOT NULL, ADD n integer",
            ["type-change-rewrites", "set-not-null-scans"],
        ),
        (
            "ALTER TABLE t ADD n text DEFAULT ';'; ALTER TABLE t ALTER b SET NOT NULL;",
            ["set-not-null-scans"],
        ),
        ("DO $$ BEGIN PERFORM 1; ALTER TABLE t ALTER b SET NOT NULL; END $$", []),
        (
            "-- why, it's\n/* ALTER */ ALTER TABLE t -- and ;\n ADD UNIQUE (a)",
            ["unique-constraint-builds-index"],
        ),
    ],
)
def test_each_part_that_works_on_all_rows_is_a_cause(sql: str, rules: list[str]) -> None:
    assert [each.rule for each in causes(changes(sql))] == rules


@pytest.mark.parametrize("type_", ["serial", "int GENERATED ALWAYS AS IDENTITY"])
def test_the_column_of_a_new_primary_key_is_looked_at_once(type_: str) -> None:
    (cause,) = causes(changes(f"ALTER TABLE t ADD n {type_} PRIMARY KEY"))

    assert sum("VALIDATE CONSTRAINT" in each for each in cause.ways) == 1


def test_the_safe_ways_of_two_parts_follow_each_other() -> None:
    key = "ADD FOREIGN KEY ({0}) REFERENCES o (id)"
    both = f"ALTER TABLE t {key.format('a')}, {key.format('b')}"

    lines = remedy("adding-foreign-key-constraint", both).splitlines()

    assert sum(line.startswith("op.create_foreign_key(") for line in lines) == 2
    assert lines.count(NEXT) == 3


def test_a_literal_stays_as_it_is() -> None:
    (change,) = changes("UPDATE t\n  SET b = 'two  blanks -- no comment'")

    assert change.get("set") == "b = 'two  blanks -- no comment'"


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (
            "ALTER TABLE t ADD CONSTRAINT c EXCLUDE USING gist (r WITH &&)",
            "PostgreSQL builds an EXCLUDE constraint in no other way.",
        ),
        (
            "ALTER DOMAIN d ADD CHECK (VALUE > 0)",
            "PostgreSQL has no other way for a domain; a check on each table has one.",
        ),
        ("VACUUM FULL t", "The extension pg_repack does the same without that lock."),
        (
            "ALTER TABLE t SET LOGGED",
            UNKNOWN,
        ),
        ("DO $$ BEGIN UPDATE t SET a = 1; END $$", UNKNOWN),
    ],
)
def test_what_has_no_safe_way_says_why(sql: str, why: str) -> None:
    assert (causes(changes(sql)), why_none(sql)) == ([], why)


@pytest.mark.parametrize(
    ("bounds", "has_a_way"),
    [
        ("FOR VALUES FROM (1) TO (2)", True),
        ("FOR VALUES IN ('a', NULL)", False),
        ("FOR VALUES FROM (MINVALUE) TO (2)", False),
        ("FOR VALUES FROM (1, 2) TO (3, 4)", False),
        ("FOR VALUES WITH (MODULUS 4, REMAINDER 0)", False),
        ("DEFAULT", False),
    ],
)
def test_a_partition_has_a_way_if_its_bounds_are_a_check(bounds: str, has_a_way: bool) -> None:
    sql = f"ALTER TABLE p ATTACH PARTITION q {bounds}"

    assert [bool(each.ways) for each in causes(changes(sql))] == [has_a_way]


@pytest.mark.parametrize(
    ("rule", "sql", "code"),
    [
        ("changing-column-type", "ALTER TABLE t ALTER c TYPE bigint", "c_new"),
        ("require-concurrent-index-deletion", "DROP INDEX i", "DROP INDEX CONCURRENTLY i"),
        (
            "require-concurrent-partition-detach",
            "ALTER TABLE p DETACH PARTITION q",
            "ALTER TABLE p DETACH PARTITION q CONCURRENTLY",
        ),
        ("adding-required-field", "ALTER TABLE t ADD n integer NOT NULL", "pass  # fill n in all"),
        (
            "ban-concurrent-index-creation-in-transaction",
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "create_index_concurrently('i', 't', ['a'])",
        ),
        ("renaming-column", "ALTER TABLE t RENAME a TO b", "types['a']"),
    ],
)
def test_what_the_linter_finds_has_the_same_safe_way(rule: str, sql: str, code: str) -> None:
    assert code in remedy(rule, sql)


def test_another_rule_has_another_safe_way() -> None:
    assert remedy("ban-drop-column", "ALTER TABLE t ADD UNIQUE (a)") == ""
