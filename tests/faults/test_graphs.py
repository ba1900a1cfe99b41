"""Random revision graphs and random targets, against Alembic's own result."""

import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.command import invoke
from support.faults import IS_FULL, Figure, times
from support.history import Revision, foreign_env, make_history
from support.ini import write_ini

NOTE = "op.execute(\"INSERT INTO ran (step) VALUES ('{} {}')\")"


@st.composite
def graphs(draw: st.DrawFn) -> list[Revision]:
    """Draw a history: with branches, merges, dependencies and labels."""
    ids = [
        f"{number:02}{letters}" for number, letters in enumerate(NAMES[: draw(st.integers(1, 9))])
    ]
    revisions: list[Revision] = []
    ancestors: dict[str, set[str]] = {}
    for number, revision in enumerate(ids):
        parents: list[str] = []
        if number and draw(st.integers(0, 9)):
            parents = draw(
                st.lists(st.sampled_from(ids[:number]), min_size=1, max_size=2, unique=True)
            )
            # Alembic refuses a merge of a revision with its own ancestor.
            parents = [p for p in parents if not any(p in ancestors[q] for q in parents if q != p)]
        above = set(parents).union(*(ancestors[parent] for parent in parents))
        others = [other for other in ids[:number] if other not in above]
        depends_on = None
        if others and not draw(st.integers(0, 3)):
            depends_on = draw(st.sampled_from(others))
        ancestors[revision] = above | (
            {depends_on} | ancestors[depends_on] if depends_on else set()
        )
        revisions.append(
            Revision(
                revision,
                tuple(parents) if len(parents) > 1 else (parents or [None])[0],
                upgrade=NOTE.format("up", revision),
                downgrade=NOTE.format("down", revision),
                branch_labels=f"label{number}" if not parents and draw(st.booleans()) else None,
                depends_on=depends_on,
            )
        )
    return revisions


NAMES = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india"]


@st.composite
def histories_and_targets(draw: st.DrawFn) -> tuple[list[Revision], list[tuple[str, str]]]:
    revisions = draw(graphs())
    ids = [revision.id for revision in revisions]
    labels = [str(revision.branch_labels) for revision in revisions if revision.branch_labels]
    ups = [*ids, "heads", "head", "+1", "+2", *(f"{label}@head" for label in labels)]
    ups += [f"{revision}+1" for revision in ids]
    downs = [*ids, "base", "-1", "-2", *(f"{label}@base" for label in labels)]
    downs += [f"{revision}-1" for revision in ids]
    steps = draw(
        st.lists(
            st.one_of(
                st.tuples(st.just("upgrade"), st.sampled_from(ups)),
                st.tuples(st.just("downgrade"), st.sampled_from(downs)),
            ),
            max_size=4,
        )
    )
    return revisions, [("upgrade", draw(st.sampled_from(ups))), *steps]


class Counts:
    def __init__(self) -> None:
        self.graphs = self.same = self.refused = 0
        self.nothing = self.stricter = self.both_fail = 0


@contextmanager
def two_databases(revisions: list[Revision]) -> Iterator[tuple[Path, Config, Path, Path]]:
    """Yield an .ini file for this command, a Config for Alembic, and a database for each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        databases = (folder / "ours.sqlite", folder / "alembics.sqlite")
        for database in databases:
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("CREATE TABLE ran (number INTEGER PRIMARY KEY, step text)")
        location = make_history(folder / "ours", revisions)
        ini = write_ini(
            folder / "app.ini",
            {
                "sqlalchemy.url": f"sqlite:///{databases[0]}",
                "alembic.script_location": str(location),
            },
        )
        alembics = make_history(folder / "alembics", revisions)
        (alembics / "env.py").write_text(foreign_env())
        config = Config()
        config.set_main_option("script_location", str(alembics))
        config.set_main_option("path_separator", "os")
        config.set_main_option("sqlalchemy.url", f"sqlite:///{databases[1]}")
        yield ini, config, *databases


def state(database: Path) -> tuple[list[str], list[str]]:
    """Return what ran, in order, and where the database stands."""
    with closing(sqlite3.connect(database)) as connection:
        ran = [row[0] for row in connection.execute("SELECT step FROM ran ORDER BY number")]
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
        heads = connection.execute("SELECT * FROM alembic_version") if tables.fetchone() else []
        return ran, sorted(row[0] for row in heads)


def compare(revisions: list[Revision], steps: list[tuple[str, str]], counts: Counts) -> None:
    with two_databases(revisions) as (ini, config, ours, alembics):
        counts.graphs += 1
        for name, target in steps:
            before = state(ours)
            assert before == state(alembics)
            result = invoke(ini, name, target)
            try:
                with warnings.catch_warnings():
                    # It warns of `-1` from several heads, which this command refuses.
                    warnings.simplefilter("ignore", UserWarning)
                    getattr(command, name)(config, target)
                is_alembic_content = True
            except (CommandError, AssertionError, KeyError):
                is_alembic_content = False
            after, expected = state(ours), state(alembics)
            assert "Traceback" not in result.stderr
            assert result.returncode in (0, 1, 2, 8), result.stderr
            if result.returncode == 1:
                # Alembic loses its count of the heads, in some graphs that both merge and depend.
                assert "KeyError" in result.stderr
                assert not is_alembic_content
                assert after == expected
                counts.both_fail += 1
            elif result.returncode:
                assert after == before, "an error, and something was changed"
                if is_alembic_content and expected != before:
                    counts.stricter += 1
                    assert is_ambiguous(name, target), (name, target, result.stderr)
                    return  # the databases have parted
                counts.refused += 1
            elif is_alembic_content:
                counts.same += 1
                assert after == expected, (name, target, result.stdout)
            else:
                counts.nothing += 1
                assert after == before, (name, target, result.stdout)


def is_ambiguous(name: str, target: str) -> bool:
    """Tell of what Alembic guesses at and this command refuses: `-1` or `+1` of several heads."""
    return target[0] in "+-"


def test_any_graph_and_any_target_come_to_what_alembic_comes_to(figure: Figure) -> None:
    counts = Counts()

    @settings(
        max_examples=times(40, 2000),
        deadline=None,
        database=None,
        derandomize=not IS_FULL,
        suppress_health_check=list(HealthCheck),
    )
    @given(histories_and_targets())
    def check(drawn: tuple[list[Revision], list[tuple[str, str]]]) -> None:
        compare(*drawn, counts)

    check()
    figure(
        f"graphs, sqlite: {counts.graphs} random histories; {counts.same} commands came to the same"
        f" as Alembic's, {counts.refused} were refused, {counts.nothing} found nothing to do where"
        f" Alembic fails, {counts.stricter} were refused where Alembic guesses; {counts.both_fail}"
        " failed in Alembic itself, under both, and left the same"
    )


def test_the_comparison_finds_a_difference() -> None:
    line = [
        Revision("00alpha", upgrade=NOTE.format("up", "00alpha")),
        Revision("01bravo", "00alpha", upgrade=NOTE.format("up", "01bravo")),
    ]
    other = [line[0], Revision("01bravo", "00alpha", upgrade=NOTE.format("up", "another"))]
    with two_databases(line) as (ini, config, ours, alembics):
        make_history(alembics.parent / "other", other)
        config.set_main_option("script_location", str(alembics.parent / "other"))
        assert invoke(ini, "upgrade").returncode == 0
        (alembics.parent / "other" / "env.py").write_text(foreign_env())
        command.upgrade(config, "heads")
        assert state(ours) != state(alembics)
