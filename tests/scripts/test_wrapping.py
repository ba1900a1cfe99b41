"""Long lines, broken as a person would break them."""

from io import StringIO

import pytest
from support.history import MakeApp, Revision
from support.terminal import run_on_terminal, screen

from myapp.scripts.wrapping import columns_of, cut, width, wrapped

WORDS = "one two three four five six"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (WORDS, ["one two three", "  four five six"]),
        ("one two", ["one two"]),
        (f"    {WORDS}", ["    one two", "    three four", "    five six"]),
        (f"{WORDS}\n{WORDS}", ["one two three", "  four five six"] * 2),
        ("a `two three four` b", ["a `two three four` b"]),
        ("a bc d `two three` e", ["a bc d", "  `two three` e"]),
        ("look at /home/me/a b", ["look at", "  /home/me/a b"]),
        ("see /home/me/with/long/names b", ["see /home/me/with/long/names b"]),
        ("a\x1b[32m 5 ms\x1b[0m", ["a\x1b[32m 5 ms\x1b[0m"]),
        ("[1/1] one two \x1b[32m5 ms\x1b[0m", ["[1/1] one two", "  \x1b[32m5 ms\x1b[0m"]),
        ("LINE 1: SELECT a from b\n        ^", ["LINE 1: SELECT a from b", "        ^"]),
        ("", [""]),
    ],
)
def test_a_line_breaks_between_words_and_goes_on_further_in(text: str, lines: list[str]) -> None:
    assert wrapped(text, 16, 2).split("\n") == lines


def test_characters_of_two_columns_count_twice_and_may_end_a_line() -> None:
    assert width("a住所") == 5
    assert cut("a住所", 4) == "a住"
    assert wrapped("ab 住所テーブルの番地", 12, 2) == "ab 住所テー\n  ブルの番地"
    assert wrapped("ab /住所/テーブルの番地", 12, 2) == "ab /住所/テーブルの番地"


def test_what_is_no_terminal_is_not_wrapped() -> None:
    assert columns_of(StringIO()) is None
    assert columns_of(None) is None
    assert wrapped(WORDS, None, 2) == WORDS


LONG = "rename the column that holds the number of the street in every table of addresses"


@pytest.mark.parametrize(
    ("command", "columns"),
    [(["upgrade"], 40), (["history"], 80), (["show", "head"], 40), (["upgrade", "zz"], 200)],
)
def test_no_word_is_broken_on_a_terminal(
    make_app: MakeApp, sqlite_url: str, columns: int, command: list[str]
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", message=LONG)])
    shown = screen(run_on_terminal(ini, *command, columns=columns), columns)
    words = set(" ".join(shown).split())
    assert set(LONG.split()) <= words or command[-1] == "zz"
    assert max(map(len, shown)) <= columns
    if command == ["history"]:
        assert shown[0].startswith("pending <base> -> aaaa1 (head)")
        assert [line[:8] for line in shown[1:] if line] == [" " * 8] * (len(shown) - 2)


def test_columns_counts_where_the_terminal_does_not_tell(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", message=LONG)])
    written = run_on_terminal(ini, "history", columns=0, env={"COLUMNS": "40"})
    assert max(map(len, screen(written, 300))) <= 40
