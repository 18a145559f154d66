"""Relay's connections over keysets: a cursor names the row that a page ended with, so that no page shifts."""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import strawberry

from api.ids import encode
from base.errors import Invalid

DEFAULT_FIRST: Final = 20
LARGEST_FIRST: Final = 100

T = TypeVar("T")
Row = TypeVar("Row")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


@strawberry.type
class Connection(Generic[T]):
    edges: list[Edge[T]]
    page_info: PageInfo


def page_size(first: int | None, default: int = DEFAULT_FIRST) -> int:
    """How many a page holds. `api.pricing` refuses other sizes before anything runs."""
    size = default if first is None else first
    if not 1 <= size <= LARGEST_FIRST:
        raise Invalid(f"first must be 1 to {LARGEST_FIRST}", code="FIRST_OUT_OF_RANGE", field=("first",))
    return size


def connect(
    rows: Sequence[Row],
    *,
    size: int,
    after: object | None,
    key: Callable[[Row], str | int | tuple[str | int, ...]],
    node: Callable[[Row], T],
) -> Connection[T]:
    """A page of `size` out of rows of which there may be one more, which says that there is a next page."""
    edges = [Edge(cursor=_cursor(key(row)), node=node(row)) for row in rows[:size]]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(rows) > size,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    )


def _cursor(key: str | int | tuple[str | int, ...]) -> str:
    return encode(key if isinstance(key, tuple) else (key,))
