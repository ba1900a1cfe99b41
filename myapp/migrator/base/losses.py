"""What a run takes away for good: tables, columns and rows."""

from typing import Literal, NamedTuple

_NOT_NAMED = "the file doesn't write out"


class Drop(NamedTuple):
    """What a revision file says that it drops; None for a name that it doesn't write out."""

    what: Literal["table", "column", "rows", "schema"]
    table: str | None = None
    column: str | None = None
    schema: str | None = None

    @property
    def is_named(self) -> bool:
        """Whether the database can be asked for it."""
        return self.table is not None and (self.what != "column" or self.column is not None)

    @property
    def text(self) -> str:
        """The same in words."""
        if self.what == "schema":
            return f"schema {self.schema}" if self.schema else f"a schema whose name {_NOT_NAMED}"
        table = f"{self.schema}.{self.table}" if self.schema else self.table
        if self.what == "column" and not self.column:
            return f"a column{f' of {table}' if table else ''} whose name {_NOT_NAMED}"
        if not self.table:
            column = f"column {self.column}" if self.column else ""
            what = column or ("rows" if self.what == "rows" else "")
            return f"{f'{what} of ' if what else ''}a table whose name {_NOT_NAMED}"
        if self.what == "rows":
            return f"rows of {table}"
        return f"table {table}" if self.what == "table" else f"column {table}.{self.column}"


class Loss(NamedTuple):
    """What goes with one drop of `revision`: `number` rows or values, None if that isn't known.

    What is `hidden` isn't there by that name: it may have another one now.
    """

    drop: Drop
    revision: str
    number: int | None = None
    precision: Literal["exact", "about", "more", "hidden"] = "exact"
    #: The database, where there are several.
    place: str = ""

    @property
    def text(self) -> str:
        """What goes, in words."""
        place = f" in {self.place}" if self.place else ""
        return f"{self.drop.text}{self.what_goes} ({self.revision}){place}"

    @property
    def what_goes(self) -> str:
        """The rows or values, in words that follow the drop's; empty where nothing is to say."""
        if not self.drop.is_named:
            return ""
        if self.precision == "hidden":
            return ", which has another name now, or is not there"
        of_rows = self.drop.what == "rows"
        noun = "value" if self.drop.what == "column" else "row"
        if self.number is None:
            return "" if of_rows else f": its {noun}s go"
        if not self.number:
            return ", which has none" if of_rows else f": it has no {noun}s"
        how = {"exact": "", "about": "about ", "more": "more than "}[self.precision]
        shown = f"{how}{self.number:,}"
        if of_rows:
            return f", which has {shown}"
        if self.number == 1 and not how:
            return f": its 1 {noun} goes"
        return f": {'its ' if not how else ''}{shown} {noun}s go"
