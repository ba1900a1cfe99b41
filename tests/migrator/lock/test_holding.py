"""How a run is named to those who see its session."""

import pytest

from myapp.migrator.lock.holding import Holder, named_holder, told_as

HOST = "build-agent-with-a-very-long-name.eu-central-1.example.com"
RUN = f"myapp-migrate upgrade {HOST}"[:57] + ":12345"


@pytest.mark.parametrize("revision", ["3f1a", "c85d3f6a1e90", "r" * 32, "\N{SNOWMAN}" * 8])
def test_the_machine_is_cut_and_not_the_revision(revision: str) -> None:
    told = told_as(RUN, revision)
    assert len(told.encode()) == 63
    seen = holder(told)
    assert (seen.revision, seen.application.endswith(":12345")) == (revision, True)
    assert seen.is_run(RUN)
    assert seen == holder(RUN)


def test_a_name_that_fits_is_kept() -> None:
    assert told_as("myapp-migrate upgrade web1:7", "3f1a") == "myapp-migrate upgrade web1:7: 3f1a"
    assert told_as(RUN, None) == RUN


def test_another_run_is_another() -> None:
    assert not holder(told_as(RUN, "3f1a")).is_run(RUN.replace("12345", "12346"))
    assert not holder(RUN.replace("upgrade", "stamp")).is_run(RUN)


def holder(told: str) -> Holder:
    return named_holder(1, told, "10.0.0.1", None, is_of_server=True)
