"""Which of Alembic's own tests this command fails on purpose, and which are not about a command.

A test is named by a pattern of `fnmatch`, without the folder and the first `test_`, as in
`command.py::HistoryTest::test_history_*`.
"""

from pathlib import Path

#: The page that tells of each difference, in a line that begins with the difference in bold.
PAGE = Path(__file__).resolve().parents[2] / "docs" / "differences.md"

#: What is different, as the page says it, and the tests that fail for it, each with the reason.
DIFFERENCES: dict[str, dict[str, str]] = {
    "Reading creates nothing": {
        "command.py::CheckTest*::*": "There is no SQLite file, and Alembic's `check` makes one."
    },
    "No revision stands beside one that it implies": {
        "command.py::CurrentTest::test_check_heads_fail[[]revs3]": "b3 depends on a2.",
        "command.py::StampMultipleHeadsTest::test_*_multi_rev_nonsensical": "e comes after a.",
        "command.py::StampMultipleHeadsTest::test_sql_stamp_multi_rev_from_multi_base_*": (
            "e comes after a."
        ),
        "command.py::StampMultipleHeadsTest::test_stamp_purge": "e comes after a.",
        "command.py::UpgradeDowngradeStampTest::test_stamp_argparser_multiple_rev": (
            "c comes after b."
        ),
    },
    "Standard output is the answer": {
        "command.py::HistoryTest::test_history_*_environment": "env.py writes to `config.stdout`.",
        "command.py::HistoryTest::test_history_include_env": "env.py writes to `config.stdout`.",
        "command.py::HistoryTest::test_history_current_*": "env.py writes to `config.stdout`.",
        "command.py::HistoryTest::test_history_indicate_current": (
            "env.py writes to `config.stdout`."
        ),
        "command.py::RevisionEnvironmentTest::test_merge_cmd_revision_environment[[]True]": (
            "env.py writes to `config.stdout`."
        ),
    },
    "`init` makes no configuration": {
        "command.py::CommandLineTest::test_init_append_pyproject": "It writes no pyproject.toml.",
        "command.py::CommandLineTest::test_init_file_relative_version_token[[]*pyproject-*": (
            "It writes no pyproject.toml."
        ),
        "config.py::PyprojectConfigTest::test_no_config_at_all_still_raises": (
            "It writes no pyproject.toml."
        ),
        "config.py::PyprojectConfigTest::test_revision_command_no_alembicini": (
            "It writes no pyproject.toml."
        ),
        "config.py::PyprojectConfigTest::test_version_locations": "It writes no pyproject.toml.",
        "script_production.py::GeneralOrderedTests::test_steps": "It writes no README.",
        "command.py::CommandLineTest::test_init_custom_template_location[[]*": (
            "A subclass of Config names another folder of templates."
        ),
    },
    "`env.py` has to run the migrations": {
        "offline_environment.py::OfflineEnvironmentTest::test_head_rev_*": "It runs none.",
        "offline_environment.py::OfflineEnvironmentTest::test_requires_connection": "It runs none.",
        "offline_environment.py::OfflineEnvironmentTest::test_starting_rev_post_context": (
            "It runs none."
        ),
    },
    "A revision is looked up before `env.py` runs": {
        "offline_environment.py::OfflineEnvironmentTest::test_starting_rev_pre_context": (
            "There are no revisions x and y."
        ),
    },
    "A folder of revisions has to exist": {
        "script_consumption.py::RecursiveScriptDirectoryTest::test_multiple_dir_recursive*": (
            "The first revision is made before the folders of the others."
        ),
        "script_production.py::MultiDirRevisionCommandTest::test_multiple_dir_*": (
            "The first revision is made before the folders of the others."
        ),
    },
    "The files are read once": {
        "script_consumption.py::RecursiveScriptDirectoryTest::test_dir_structure_with_*": (
            "A file goes away after they were read."
        ),
    },
    "`-1` needs one head": {
        "version_traversal.py::BranchedPathTest::test_downgrade_once_order_right*": (
            "Alembic warns, and takes the branch of the first row."
        ),
        "version_traversal.py::BranchedPathTest::test_downgrade_once_order_left": (
            "Alembic warns, and takes the branch of the first row."
        ),
        "version_traversal.py::BranchedPathTest::test_downgrade_once_order_left_unbalanced": (
            "Alembic warns, and takes the branch of the first row."
        ),
    },
    "A change takes four characters of an id": {
        "version_traversal.py::RevisionPathTest::test_invalid_move_rev_to_none": (
            "It types three of them."
        ),
    },
    "Errors have other words": {
        "script_production.py::RevisionCommandTest::test_illegal_revision_chars": (
            "The first of two wrong characters is named."
        ),
    },
    "It runs on POSIX systems": {
        "post_write.py::RunHookTest::test_*filename_interpolation[[]*False]": (
            "Options are split as Windows does."
        ),
    },
}

#: Tests that no command line could pass, and why: they are left out.
NOT_OF_A_COMMAND: dict[str, str] = {
    "command.py::CommandLineTest::test_init_file_doesnt_exist": "It replaces `os` by mocks.",
    "command.py::CommandLineTest::test_init_file_exists_*": "It replaces `os` by mocks.",
    "command.py::CommandLineTest::test_init_w_package": "It replaces `open` by a mock.",
    "script_production.py::CustomizeRevisionTest::test_programmatic_command_option": (
        "It hands a function over, which no command line can."
    ),
    "version_traversal.py::BranchedPathTest::test_upgrade_multiple_branch": (
        "It has two targets, and `upgrade` takes one."
    ),
}
