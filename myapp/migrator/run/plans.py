"""The plans of one run: one for each database that `env.py` opens."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..base.results import Step, VersionTable, name_of
from ..bridge.planned_step import PlannedStep


@dataclass(eq=False)
class Plan:
    """The plan for one database, and how far it has come. `table` is as it was before the run.

    `running` is the revision that has begun and not ended. `written` has for each revision the
    number of the statement that wrote its row. `after` are the rows at the end, None where they
    are not known.
    """

    number: int
    table: VersionTable
    steps: list[PlannedStep]
    done: list[Step] = field(default_factory=list)
    running: Step | None = None
    written: dict[str, int] = field(default_factory=dict)
    after: tuple[str, ...] | None = None

    @property
    def table_after(self) -> VersionTable | None:
        """The version table at the end, None where it is not known."""
        return None if self.after is None else replace(self.table, rows=self.after)

    def key(self, revision: str) -> str:
        """Return a name for a revision of this plan: others may have the same revisions."""
        return f"{self.number} {revision}"


class Plans:
    """All plans of a run, in the order in which `env.py` has asked for them.

    `env.py` may run several times, and not always in the same order. So a plan belongs to its
    database, not to its place in the order.
    """

    def __init__(self, looked_at: Sequence[VersionTable]) -> None:
        """`looked_at` are the version tables that were seen before the run."""
        self._looked_at = looked_at
        self.all: list[Plan] = []
        #: Those that `env.py` has asked for in this try.
        self.asked: list[Plan] = []

    @property
    def at(self) -> Plan | None:
        """The plan whose revision runs, or else the first of which one did not end, or the last."""
        last = self.asked[-1] if self.asked else None
        if last is None or last.running:
            return last
        return next((plan for plan in self.asked if plan.running), last)

    def begin(self) -> None:
        """Begin one more try, which is yet to ask for its plans."""
        self.asked = []
        for plan in self.all:
            plan.running = None

    def ask(self, plan: Plan) -> None:
        """Take note that `env.py` has asked for `plan`, perhaps because another try failed."""
        for other in self.asked:
            if other.table.place == plan.table.place:
                other.running = None
        plan.after = None
        self.asked.append(plan)

    def add(self, table: VersionTable, steps: list[PlannedStep]) -> Plan:
        """Add and return a plan."""
        plan = Plan(len(self.all), table, steps)
        self.all.append(plan)
        return plan

    def of(self, table: VersionTable) -> Plan | None:
        """Return the plan for the database of `table` that this try has not asked for yet."""
        known = [plan for plan in self.all if plan.table.place == table.place]
        if not known and len(self.all) == 1:
            known = self.all  # a revision may have made another schema the current one
        return next((plan for plan in known if plan not in self.asked), None)

    def rows(self, plan: Plan, now: Sequence[VersionTable]) -> tuple[str, ...]:
        """Return the rows of the database of `plan` among the version tables of `now`."""
        if len(now) == len(self.all) == 1:
            return now[0].rows
        found = [table for table in now if table.place == plan.table.place]
        before = [each for each in self.all[: plan.number] if each.table.place == plan.table.place]
        return found[min(len(before), len(found) - 1)].rows if found else ()

    def tables(self, *more: VersionTable) -> list[VersionTable]:
        """Return all version tables that are known, and `more`, one for each place."""
        every = [*self._looked_at, *(plan.table for plan in self.all), *more]
        return list({table.place: table for table in every}.values())

    def name(self, plan: Plan) -> str:
        """Return the name of the database of `plan` where there are several, else nothing."""
        tables = self.tables()
        return name_of(plan.table, tables) if len(tables) > 1 else ""
