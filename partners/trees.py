"""Trees of regions and of partners: who lies under whom. Pure."""

from collections.abc import Mapping, Sequence

from base.errors import Invalid
from partners.checks import check_known, item_path


def check_parents(
    parents: Mapping[str, str | None], stored: Mapping[str, str | None], field: Sequence[str], noun: str
) -> None:
    """New parents must exist, among the new items or the stored ones, and lead to a root.

    `parents` holds the new items' parents by code, in the order of the input; `stored` at least those stored parents
    that the new ones lead to. UNKNOWN_<NOUN>, CYCLE.
    """
    check_known(parents.values(), {*parents, *stored}, field, noun=noun, name="parent")
    circular = find_cycle(parents, {**stored, **parents})
    if circular is not None:
        index = list(parents).index(circular)
        raise Invalid(
            f"{circular!r} would lie under itself",
            code="CYCLE",
            field=item_path(field, index, "parent"),
        )


def find_cycle(starts: Mapping[str, str | None], parents: Mapping[str, str | None]) -> str | None:
    """The first of `starts` that lies on a circle of `parents`; None where all lead to a root. Linear."""
    rooted: set[str] = set()
    for start in starts:
        path: list[str] = []
        walked: set[str] = set()
        code: str | None = start
        while code is not None and code not in rooted and code not in walked:
            path.append(code)
            walked.add(code)
            code = parents.get(code)
        if code is not None and code in walked:
            circle = path[path.index(code) :]
            return next(start for start in starts if start in circle)
        rooted |= walked
    return None
