"""The rows of the version table against those that Alembic writes."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace

from alembic.runtime.migration import MigrationStep, RevisionStep
from alembic.script.revision import RevisionMap
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.random_histories import alembic_map, histories, names, revision_file, standings

from myapp.migrator.base.ask_alembic import AskAlembic
from myapp.migrator.revisions.graph import Graph
from myapp.migrator.revisions.resolution import downgrade_plan, upgrade_plan
from myapp.migrator.revisions.rows import RowChange, downgrade_rows, stamped_rows, upgrade_rows

MODULE = SimpleNamespace(upgrade=None, downgrade=None)


def alembic_rows(
    revisions: RevisionMap,
    ids: Sequence[str],
    heads: Sequence[str],
    make: Callable[..., RevisionStep],
) -> list[set[str]]:
    """Return the table's rows after each step, as Alembic's `HeadMaintainer` changes them."""
    rows, after = set(heads), []
    for id_ in ids:
        revision = revisions.get_revision(id_)
        assert revision is not None
        revision.module = MODULE  # type: ignore[attr-defined]
        rows = changed(rows, make(revisions, revision))
        after.append(rows)
    return after


def changed(rows: set[str], step: RevisionStep) -> set[str]:
    if step.should_delete_branch(rows):
        return rows - {step.delete_version_num}
    if step.should_create_branch(rows):
        return rows | {step.insert_version_num}
    if step.should_merge_branches(rows):
        deleted, from_, to = step.merge_branch_idents(rows)
        return rows - {*deleted, from_} | {to}
    if step.should_unmerge_branches(rows):
        from_, to, inserted = step.unmerge_branch_idents(rows)
        return rows - {from_} | {to, *inserted}
    from_, to = step.update_version_num(rows)
    return rows - {from_} | {to}


def our_rows(changes: Sequence[RowChange], heads: Sequence[str]) -> list[set[str]]:
    rows, after = set(heads), []
    for change in changes:
        assert rows.issuperset(change.removed)
        assert rows.isdisjoint(change.added)
        assert min(len(change.removed), len(change.added)) < 2
        rows = rows - set(change.removed) | set(change.added)
        after.append(rows)
    return after


@examples(400)
@given(st.data())
def test_an_upgrade_leaves_the_rows_that_alembics_leaves(data: st.DataObject) -> None:
    files = data.draw(histories())
    graph = Graph(files)
    heads, target = data.draw(standings(graph)), data.draw(st.just("heads") | names(files))
    with suppress(AskAlembic):
        ids = upgrade_plan(graph, target, heads)[::-1]
        theirs = alembic_rows(alembic_map(files), ids, heads, MigrationStep.upgrade_from_script)
        assert our_rows(upgrade_rows(graph, ids, heads), heads) == theirs


@examples(400)
@given(st.data())
def test_a_downgrade_leaves_the_rows_that_alembics_leaves(data: st.DataObject) -> None:
    files = data.draw(histories())
    graph = Graph(files)
    heads, target = data.draw(standings(graph)), data.draw(st.just("base") | names(files))
    applied = graph.applied(heads)
    if any(not applied.isdisjoint(graph.children[head]) for head in heads):
        return  # a table that no run leaves; Alembic walks through it by another order
    with suppress(AskAlembic):
        ids = downgrade_plan(graph, target, heads)
        theirs = alembic_rows(alembic_map(files), ids, heads, MigrationStep.downgrade_from_script)
        # Beside other branches, Alembic leaves a row for what another row's revision needs too.
        needed = [graph.applied([p for row in rows for p in graph.parents[row]]) for rows in theirs]
        least = [rows - below for rows, below in zip(theirs, needed, strict=True)]
        assert our_rows(downgrade_rows(graph, ids, heads), heads) == least


@examples(400)
@given(st.data())
def test_rows_that_others_imply_are_right_after_each_step(data: st.DataObject) -> None:
    graph = Graph(data.draw(histories()))
    rows = data.draw(st.lists(st.sampled_from(list(graph.files)), unique=True))
    implied = graph.implied(rows)
    foremost = [row for row in rows if row not in implied]
    applied = graph.applied(rows)
    assert graph.applied(foremost) == applied
    assert all(row in graph.applied(set(rows) - {row}) for row in implied)

    ids = [id_ for id_ in graph.walk() if id_ in applied]
    for number, after in enumerate(our_rows(downgrade_rows(graph, ids, rows), rows), 1):
        assert graph.applied(after) == set(ids[number:])
    ids = [id_ for id_ in reversed(graph.walk()) if id_ not in applied]
    for number, after in enumerate(our_rows(upgrade_rows(graph, ids, rows), rows), 1):
        assert graph.applied(after) == applied | set(ids[:number])


@examples(400)
@given(st.data())
def test_a_stamp_leaves_what_was_asked_for_and_nothing_after_it(data: st.DataObject) -> None:
    graph = Graph(data.draw(histories()))
    ids = list(graph.files)
    rows = data.draw(st.lists(st.sampled_from(ids), unique=True))
    asked = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=4, unique=True))
    left = stamped_rows(graph, rows, asked)
    applied = graph.applied(left)
    after = graph.reach({child for id_ in asked for child in graph.children[id_]}, graph.children)
    assert applied.issuperset(asked)
    assert applied & after <= graph.applied(asked)
    assert applied <= graph.applied([*rows, *asked])
    assert not graph.implied(left)
    related = {each for id_ in asked for each in graph.lineage(id_)} | after
    assert {row for row in rows if row not in related} <= applied


def test_a_merge_takes_the_rows_of_its_branches_and_gives_them_back() -> None:
    graph = Graph(
        [
            revision_file("a"),
            revision_file("b", ["a"]),
            revision_file("c", ["a"]),
            revision_file("d", ["b", "c"]),
        ]
    )
    assert upgrade_rows(graph, ["c", "d"], ["b"]) == [
        RowChange((), ("c",)),
        RowChange(("b", "c"), ("d",)),
    ]
    assert downgrade_rows(graph, ["d", "c", "b", "a"], ["d"]) == [
        RowChange(("d",), ("b", "c")),
        RowChange(("c",), ()),
        RowChange(("b",), ("a",)),
        RowChange(("a",), ()),
    ]


def test_a_dependency_that_another_needs_too_keeps_no_row() -> None:
    graph = Graph(
        [
            revision_file("a"),
            revision_file("b", ["a"]),
            revision_file("x", [], ["a"]),
        ]
    )
    assert upgrade_rows(graph, ["a", "b", "x"], []) == [
        RowChange((), ("a",)),
        RowChange(("a",), ("b",)),
        RowChange((), ("x",)),
    ]
    assert downgrade_rows(graph, ["x", "b", "a"], ["b", "x"]) == [
        RowChange(("x",), ()),
        RowChange(("b",), ("a",)),
        RowChange(("a",), ()),
    ]
