"""Counts in words: 1 row, 2 rows. Pure."""


def count_of(count: int, one: str, many: str = "") -> str:
    """So many of something, by its name for one of it, and for several where that is not formed by an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def count_rows(count: int) -> str:
    """So many rows."""
    return count_of(count, "row")
