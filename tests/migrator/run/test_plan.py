"""Where a run goes from where the database stands."""

import pytest
from support.history import MakeApp, Revision

from myapp.migrator.base.errors import BadRevision, DatabaseAhead, MultipleHeads, UsageError
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.config import run_context
from myapp.migrator.revisions.history import History
from myapp.migrator.run.plan import is_past, plan_downgrade, plan_upgrade

LINE = [Revision("aaa111"), Revision("bbb222", "aaa111"), Revision("ccc333", "bbb222")]
BRANCHES = [
    Revision("aaa111"),
    Revision("bbb222", "aaa111", branch_labels="left"),
    Revision("ccc333", "aaa111", branch_labels="right"),
]


@pytest.fixture
def line(make_app: MakeApp) -> History:
    return load_history(run_context(make_app("sqlite://", LINE)))


@pytest.fixture
def branches(make_app: MakeApp) -> History:
    return load_history(run_context(make_app("sqlite://", BRANCHES)))


@pytest.mark.parametrize("target", ["-1", "-2"])
def test_a_downgrade_by_steps_from_several_heads_picks_none(branches: History, target: str) -> None:
    with pytest.raises(MultipleHeads) as raised:
        plan_downgrade(branches, target, ("bbb222", "ccc333"))

    assert raised.value.message == (
        f"2 heads: bbb222 (a change), ccc333 (a change). `downgrade {target}` can't choose one."
    )
    assert raised.value.hint is not None
    assert f"\n`{{cmd}} downgrade bbb222@{target}` undoes " in raised.value.hint
    assert raised.value.details["heads"] == ["bbb222", "ccc333"]
    assert raised.value.details["fork"]["ancestor"] == "aaa111"


def test_a_downgrade_by_steps_on_a_branch_leaves_the_other(branches: History) -> None:
    plan = plan_downgrade(branches, "right@-1", ("bbb222", "ccc333"))

    assert [step.revision.revision for step in plan] == ["ccc333"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("-3", "`-3` asks for 3 revisions down, and there are fewer."),
        ("-99", "`-99` asks for 99 revisions down, and there are fewer."),
        ("bbb222-5", "`bbb222-5` asks for 5 revisions down from `bbb222`, and there are fewer."),
    ],
)
def test_a_downgrade_below_base_is_refused(line: History, target: str, message: str) -> None:
    with pytest.raises(BadRevision) as raised:
        plan_downgrade(line, target, ("bbb222",))

    assert raised.value.message == message


@pytest.mark.parametrize("target", ["ccc333", "ccc3", "head", "heads"])
def test_a_downgrade_to_a_revision_that_is_not_applied_says_so(line: History, target: str) -> None:
    with pytest.raises(BadRevision) as raised:
        plan_downgrade(line, target, ("aaa111",))

    assert raised.value.message == (
        f"`{target}` is not applied, so there is no going back to it: the database is at"
        " aaa111 (a change)."
    )
    assert raised.value.hint == f"to go on to it, type `{{cmd}} upgrade {target}`."


def test_a_downgrade_on_a_branch_that_the_database_is_not_on_is_refused(branches: History) -> None:
    with pytest.raises(BadRevision) as raised:
        plan_downgrade(branches, "right@-1", ("bbb222",))

    assert raised.value.message == (
        "`right@-1` needs the database to stand at one revision of `right`."
    )


@pytest.fixture
def gone(make_app: MakeApp) -> History:
    ini = make_app("sqlite://", LINE)
    path = next(ini.parent.rglob("bbb222_.py"))
    path.write_text(path.read_text() + "\n# migrate: irreversible because the numbers are gone\n")
    return load_history(run_context(ini))


@pytest.mark.parametrize(("target", "standing"), [("aaa111", "aaa111"), ("-3", "base")])
def test_a_downgrade_through_an_irreversible_revision_is_refused(
    gone: History, target: str, standing: str
) -> None:
    with pytest.raises(BadRevision) as raised:
        plan_downgrade(gone, target, ("ccc333",))

    assert raised.value.message == (
        "bbb222 (a change) is irreversible: the numbers are gone. So no revision was downgraded."
        f"\n{gone.get('bbb222').path}, line 19, says so."
    )
    assert raised.value.hint == (
        "restore a backup, or undo it in a new revision. If the schema is as it was at"
        f" {standing} already, type `{{cmd}} stamp {standing}`."
    )
    assert raised.value.details["reason"] == "irreversible"


def test_a_downgrade_that_ends_above_an_irreversible_revision_is_planned(gone: History) -> None:
    plan = plan_downgrade(gone, "bbb222", ("ccc333",))

    assert [step.revision.revision for step in plan] == ["ccc333"]


def test_a_revision_is_irreversible_without_a_reason_too(make_app: MakeApp) -> None:
    ini = make_app("sqlite://", [Revision("aaa111", downgrade="pass  # migrate: irreversible")])

    with pytest.raises(BadRevision) as raised:
        plan_downgrade(load_history(run_context(ini)), "base", ("aaa111",))

    assert raised.value.message.startswith(
        "aaa111 (a change) is irreversible, for no reason given. So no revision was downgraded.\n"
    )


def test_an_upgrade_goes_up_only(line: History) -> None:
    with pytest.raises(UsageError) as raised:
        plan_upgrade(line, "-1", ("bbb222",))

    assert raised.value.message == "`upgrade` can't go down: `-1`."
    assert raised.value.hint == "type `{cmd} downgrade -1`, or turn the sign."


def test_a_downgrade_goes_down_only(branches: History) -> None:
    with pytest.raises(UsageError) as raised:
        plan_downgrade(branches, "left@+1", ("aaa111",))

    assert raised.value.message == "`downgrade` can't go up: `left@+1`."
    assert raised.value.hint == "type `{cmd} upgrade left@+1`, or turn the sign."


@pytest.mark.parametrize("plan", [plan_upgrade, plan_downgrade])
def test_there_is_no_plan_from_a_revision_that_no_file_has(line: History, plan: object) -> None:
    with pytest.raises(DatabaseAhead, match="stands at fff999, which this code does not have"):
        plan(line, "aaa111", ("bbb222", "fff999"))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("target", "heads", "expected"),
    [
        ("aaa111", ("ccc333",), True),
        ("aaa1", ("ccc333",), True),
        ("base", ("aaa111",), True),
        ("aaa111+1", ("ccc333",), True),
        ("head-1", ("ccc333",), True),
        ("aaa111+1", ("bbb222",), False),
        ("aaa111", ("aaa111",), False),
        ("head", ("ccc333",), False),
        ("heads", ("ccc333",), False),
        ("+1", ("ccc333",), False),
        ("ccc333@+1", ("ccc333",), False),
        ("base", (), False),
    ],
)
def test_a_database_is_past_a_target_that_it_has_gone_on_from(
    line: History, target: str, heads: tuple[str, ...], expected: bool
) -> None:
    assert plan_upgrade(line, target, heads) == []
    assert is_past(line, target, heads) is expected
