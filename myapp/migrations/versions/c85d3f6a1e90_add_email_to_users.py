"""Add email to users

Revision ID: c85d3f6a1e90
Revises: 4b7e21c09d35
Create Date: 2025-02-03 14:05:00.000000

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision: str = "c85d3f6a1e90"
down_revision: str | Sequence[str] | None = "4b7e21c09d35"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# CREATE INDEX CONCURRENTLY that fails leaves an invalid index behind, which IF NOT EXISTS would
# take for a good one. A DO block asks and drops in one statement, so `--sql` has it too.
DROP_INVALID_INDEX = """\
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_index
        WHERE indexrelid = to_regclass('ix_users_email') AND NOT indisvalid
    ) THEN
        DROP INDEX ix_users_email;
    END IF;
END
$$"""


def upgrade() -> None:
    """Upgrade schema."""
    context = op.get_context()
    email = sa.Column("email", sa.String(255), nullable=True)
    if context.dialect.name != "postgresql":
        op.add_column("users", email)
        op.create_index(op.f("ix_users_email"), "users", ["email"], unique=True)
        return
    # What stands outside a transaction stays when a later statement fails, so every step can be
    # run again. CONCURRENTLY lets the application go on writing while the index is built.
    op.add_column("users", email, if_not_exists=True)
    with context.autocommit_block():
        op.execute(DROP_INVALID_INDEX)
        op.create_index(
            op.f("ix_users_email"),
            "users",
            ["email"],
            unique=True,
            if_not_exists=True,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    """Downgrade schema."""
    context = op.get_context()
    if context.dialect.name != "postgresql":
        op.drop_index(op.f("ix_users_email"), table_name="users")
        op.drop_column("users", "email")
        return
    with context.autocommit_block():
        op.drop_index(
            op.f("ix_users_email"),
            table_name="users",
            if_exists=True,
            postgresql_concurrently=True,
        )
    op.drop_column("users", "email", if_exists=True)
