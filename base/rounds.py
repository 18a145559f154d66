"""Work that goes round: the same for one after the other, where one that fails keeps no other waiting."""

from collections.abc import Awaitable, Callable, Iterable

from base.outages import outage_of


async def go_round(ids: Iterable[int], work: Callable[[int], Awaitable[object]]) -> None:
    """Do the work for each of these. What failed is raised once all had their turn; an outage, which all would meet, at
    once."""
    failures: list[Exception] = []
    for id_ in ids:
        try:
            await work(id_)
        except Exception as error:
            if outage_of(error) is not None:
                raise
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(f"failed for {len(failures)} of them", failures)
