"""Which steps `verify` takes."""

from collections.abc import Collection

from ..base.errors import UsageError
from ..base.proofs import NEEDS, STEPS
from ..base.spelling import nearest


def chosen(steps: Collection[str], skip: Collection[str]) -> list[str]:
    """Return the names of the steps to take, in their order.

    Raises UsageError for an unknown one.
    """
    for name in (*steps, *skip):
        if name not in STEPS:
            near = nearest(name, STEPS)
            raise UsageError(
                f"`{name}` is no step of `verify`. The steps are: {', '.join(STEPS)}.",
                hint=f"did you mean `{near}`?" if near else "name one of these.",
            )
    wanted = set(steps or STEPS)
    for name in reversed(list(STEPS)):
        if name in wanted and name in NEEDS:
            wanted.add(NEEDS[name])
    left: list[str] = []
    for name in STEPS:
        if name in wanted and name not in skip and NEEDS.get(name) in (None, *left):
            left.append(name)
    if not left:
        raise UsageError(
            "No step of `verify` is left.",
            hint="each step but `imports` needs another one; take a name out of `--skip`.",
        )
    return left
