"""Which revision files are new since a commit, asked of git."""

import os
import shutil
import subprocess
from collections.abc import Iterable

#: What CI services call the branch into which a change goes, or the commit where it began.
_BASES = ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "GITHUB_BASE_REF", "CI_DEFAULT_BRANCH")
_DEFAULTS = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_SECONDS = 30


class NoGit(Exception):
    """Git can't answer; the text says why, for use in a sentence."""


def merge_base(folder: str) -> str:
    """Return the commit at which the branch that is checked out left the default branch.

    Raises NoGit.
    """
    named = [os.environ[name] for name in _BASES if os.environ.get(name)]
    tried = [each for name in named for each in (f"origin/{name}", name)]
    for branch in (*tried, *_DEFAULTS):
        if _answer(folder, "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}"):
            break
    else:
        raise NoGit("git has no default branch here")
    found = _answer(folder, "merge-base", "HEAD", branch)
    if found is None and _answer(folder, "rev-parse", "--is-shallow-repository") == "true":
        raise NoGit(f"this clone is shallow, and doesn't reach back to where it left {branch}")
    if found is None:
        raise NoGit(f"what is checked out and {branch} have no commit in common")
    return found


def commit_of(folder: str, name: str) -> str | None:
    """Return the commit that `name` stands for, None if there is none.

    Raises NoGit.
    """
    return _answer(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")


def new_files(paths: Iterable[str], commit: str) -> set[str]:
    """Return those of `paths` that aren't in `commit`, whether they are committed since or not.

    Raises NoGit.
    """
    paths = list(paths)
    new: set[str] = set()
    for folder in {os.path.dirname(path) for path in paths}:
        listed = _answer(folder, "ls-tree", "-z", "--name-only", commit, "./")
        if listed is None:
            raise NoGit(f"git can't read the commit {commit}")
        old = set(listed.split("\0"))
        new |= {
            path
            for path in paths
            if os.path.dirname(path) == folder and os.path.basename(path) not in old
        }
    return new


def _answer(folder: str, *words: str) -> str | None:
    """Return what git says, None where it fails. Raises NoGit when there is no git at all."""
    program = shutil.which("git")
    if program is None:
        raise NoGit("there is no git")
    try:
        done = subprocess.run(  # noqa: S603 - git itself, with words of ours and one that was typed
            [program, "-C", folder, *words],
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise NoGit("git does not answer") from None
    said, complained = done.stdout, done.stderr
    if "not a git repository" in complained:
        raise NoGit("the revisions are in no git repository")
    if "dubious ownership" in complained:
        raise NoGit("git does not trust the owner of this repository (`safe.directory`)")
    return said.strip() if done.returncode == 0 else None
