"""Which revision files are new since a commit, asked of git."""

import os
import shutil
import subprocess
from collections.abc import Iterable

#: What CI services call the branch into which a change goes, or the commit where it began.
_BASES = ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "GITHUB_BASE_REF", "CI_DEFAULT_BRANCH")
_DEFAULTS = ("origin/HEAD", "origin/main", "origin/master", "main", "master", "trunk")
#: With these set, as in a hook, git would look for the repository elsewhere than in `-C FOLDER`.
_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
_SECONDS = 30


class NoGit(Exception):
    """Git can't answer; the text says why, for use in a sentence."""


def merge_base(folder: str) -> tuple[str, str]:
    """Return the commit at which what is checked out left the default branch, and that branch.

    Raises NoGit.
    """
    named = [os.environ[name] for name in _BASES if os.environ.get(name)]
    tried = [each for name in named for each in (f"origin/{name}", name)]
    own = _answer(folder, "config", "init.defaultBranch")
    for branch in filter(None, (*tried, *_DEFAULTS, own)):
        if _answer(folder, "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}"):
            break
    else:
        if _is_shallow(folder):
            raise NoGit("this clone is shallow, and has no default branch")
        raise NoGit("git knows no default branch here; name it with `--since`")
    found = _answer(folder, "merge-base", "HEAD", branch)
    if found is None and _is_shallow(folder):
        raise NoGit(f"this clone is shallow, and doesn't reach back to where it left {branch}")
    if found is None:
        raise NoGit(f"what is checked out and {branch} have no commit in common")
    return found, branch


def _is_shallow(folder: str) -> bool:
    return _answer(folder, "rev-parse", "--is-shallow-repository") == "true"


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
    environment = {**os.environ, "LC_ALL": "C"}  # what it complains of is read below
    try:
        done = subprocess.run(  # noqa: S603 - git itself, with words of ours and one that was typed
            [program, "-C", folder, *words],
            capture_output=True,
            check=False,
            encoding="utf-8",
            env={name: value for name, value in environment.items() if name not in _PLACES},
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
