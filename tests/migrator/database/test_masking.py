"""Queries of others are shown without their data, or hardly at all."""

import random
from collections.abc import Callable

import pytest
from support.examples import FACTOR

from myapp.migrator.database.masking import masked

SECRET = "TOPSECRET"  # noqa: S105 # it stands for anyone's data


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1", "SELECT ?"),
        (
            "SELECT * FROM t1 WHERE c2 = 'it''s' AND d > 3.5e7",
            "SELECT * FROM t1 WHERE c2 = ? AND d > ?",
        ),
        (r"SELECT E'a\'b', 'c', e'd\\'", "SELECT ?, ?, ?"),
        ("SELECT $$a'b$$, $tag$c$d$tag$ FROM t", "SELECT ?, ? FROM t"),
        ("SELECT $1, $2", "SELECT $1, $2"),
        ("\n\n  INSERT INTO t\n  VALUES ('secret')", "INSERT INTO t"),
        ("SELECT 'two\nlines' FROM t", "SELECT ? FROM t"),
        ("SELECT x'1F', B'01', n'a', -5, 0x1F, 1_000, .5, 1e-9", "SELECT ?, ?, ?, -?, ?, ?, ?, ?"),
        ('SELECT "col1" FROM "t-2" AS "it""s"', 'SELECT "col1" FROM "t-2" AS "it""s"'),
        ('SELECT "it\'s" FROM "\'"', 'SELECT "it\'s" FROM "\'"'),
        ("SELECT U&'d!0061t' UESCAPE '!', U&\"d\" FROM t", 'SELECT ? UESCAPE ?, U&"d" FROM t'),
        ("SELECT a$b$c, E1, pâté FROM t", "SELECT a$b$c, E1, pâté FROM t"),
        ("-- note of 'Ann'\nSELECT 1", "SELECT ?"),
        ("SELECT a -- it's\n, 'b'", "SELECT a"),
        ("/* it's /* nested */ */ SELECT 'b'", "SELECT ?"),
        ("SELECT a<--b'\n'c'", "SELECT a<"),
        ("autovacuum: VACUUM public.a", "autovacuum: VACUUM public.a"),
        ("", ""),
        ("SELECT " + "a, " * 200, ("SELECT " + "a, " * 200)[:200]),
    ],
)
def test_literals_are_masked_in_the_first_line_of_a_query(query: str, expected: str) -> None:
    assert masked(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (r"insert into t values ('C:\dir\', 'TOPSECRET')", "insert ..."),
        (r"SELECT U&'d\0061', 'TOPSECRET'", "SELECT ..."),
        (r"SELECT E'a' 'b\', 'TOPSECRET'", "SELECT ..."),
        (r"(SELECT 'a\', 'TOPSECRET')", "SELECT ..."),
        (r"SELECT éE'a\', 'TOPSECRET'", "SELECT ..."),
        ("UPDATE users SET name = 'TOPSECRET", "UPDATE ..."),
        ("/* a */ UPDATE users SET name = E'TOPSECRET\\", "UPDATE ..."),
        ("UPDATE users SET name = $$TOPSECRET", "UPDATE ..."),
        ("UPDATE users SET name = $a$TOPSECRET$b$", "UPDATE ..."),
        ('SELECT "TOPSECRET', "SELECT ..."),
        ("SELECT 1 /* TOPSECRET /* */", "SELECT ..."),
        ("/* TOPSECRET", ""),
        ("'TOPSECRET", ""),
    ],
)
def test_of_a_query_in_doubt_only_the_first_word_is_shown(query: str, expected: str) -> None:
    assert masked(query) == expected


QUOTES = ["", "''", '"', "--", "/*", "$$", "''''", "é"]
ESCAPES = [*QUOTES, "\\'", "\\\\", "\\\\''", "\\n"]
INNER = ["", "'", '"', "''", "\\", "E'", "é"]
NAMES = ['"it\'s"', '"a""b"', '"--"', '"/*"', '"$$"', "a$b$", "éE", "$1", "b", ", ", "(", ")"]
PLAIN = ["7", "1e5", "x'00'", "B''", "''", "E''", "$$$$", "U&'a'", " ", "\n", " - ", "::text"]
FRAGMENTS: list[Callable[[random.Random], str]] = [
    lambda r: f"'{r.choice(QUOTES)}{SECRET}{r.choice(QUOTES)}'",
    lambda r: f"E'{r.choice(ESCAPES)}{SECRET}{r.choice(ESCAPES)}'",
    lambda r: f"'a\\' || '{SECRET}'",
    lambda r: f"$${r.choice(INNER)}{SECRET}{r.choice(INNER)}$$",
    lambda r: f"$t1${r.choice(INNER)}{SECRET}{r.choice(INNER)}$$ $t1$",
    lambda r: f"--{r.choice(INNER)}{SECRET}\n",
    lambda r: f"/*{r.choice(INNER)}/*{SECRET}*/{r.choice(INNER)}*/",
    lambda r: r.choice(NAMES),
    lambda r: r.choice(PLAIN),
]


def test_no_literal_is_seen_in_queries_made_at_random() -> None:
    made = random.Random(7)
    masked_whole = 0
    for _ in range(5000 * FACTOR):
        fragments = (made.choice(FRAGMENTS)(made) for _ in range(made.randint(1, 8)))
        query = "SELECT " + " ".join(fragments)
        if made.random() < 0.3:
            query = query[: made.randint(1, len(query))]
        shown = masked(query)
        assert not any(SECRET[at : at + 4] in shown for at in range(len(SECRET) - 3)), query
        masked_whole += not shown.endswith("...")
    assert masked_whole > 1000
