"""Which steps `verify` takes."""

from collections.abc import Collection

from ..base.errors import UsageError
from ..base.proofs import NEEDS, STEPS
from ..base.spelling import nearest


def chosen(steps: Collection[str], skip: Collection[str]) -> dict[str, str]:
    """Return the names of the steps in their order, each with why it is left out, or nothing.

    Raises UsageError for an unknown one, and for one of `steps` that `skip` leaves out.
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
    gone: dict[str, str] = {}
    for name in STEPS:
        if cause := name if name in skip else gone.get(NEEDS.get(name, "")):
            gone[name] = cause
    for name in steps:
        if cause := gone.get(name):
            why = "" if name == cause else f", which `{name}` needs"
            raise UsageError(
                f"`--step {name}` asks for a step that can't be taken: `--skip` leaves out"
                f" `{cause}`{why}.",
                hint=f"take out `--step {name}` or `--skip {cause}`.",
            )
    if wanted <= set(gone):
        raise UsageError(
            "No step of `verify` is left.",
            hint="each step but `imports` needs another one; take a name out of `--skip`.",
        )
    return {name: _reason(name, gone.get(name)) for name in STEPS if name in wanted}


def _reason(name: str, cause: str | None) -> str:
    if cause is None:
        return ""
    return (
        "`--skip` leaves it out"
        if name == cause
        else f"it needs `{cause}`, which `--skip` leaves out"
    )
