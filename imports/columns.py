"""Where the columns that a mapping names stand in a file. Pure."""

from collections.abc import Sequence

from imports.mapping import Column
from imports.toml import InvalidMapping, nearest
from imports.wording import count_of


def find_column(column: Column, header: Sequence[str], path: Sequence[str]) -> int:
    """The place of a column, counted from 0; `path` is where the mapping names it. INVALID_MAPPING."""
    if isinstance(column, int):
        if header and column > len(header):
            raise InvalidMapping(f"the file has only {count_of(len(header), 'column')}", field=path)
        return column - 1
    if header.count(column) > 1:
        raise InvalidMapping(
            f"{column!r} stands twice in the file's header: give the place, from 1", field=path
        )
    if column not in header:
        raise InvalidMapping(f"the file has no column {column!r}; {nearest(column, header)}", field=path)
    return header.index(column)
