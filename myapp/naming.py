"""How the database's constraints and indexes are named.

This is no part of `models`, since a migration needs the names and must not import a model.
"""

# A migration can only drop or change a constraint whose name it knows, and databases make up
# different names for those that have none.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
