"""Why an activity earned what it did, rule by rule, and why it did not. Pure.

What went by the state of then (caps, budgets, counts, groups, the audience) was kept with the activity. The rest is
looked up again, in the version that held when it occurred: it was decided by nothing that can change.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from activity.rules import RETURN, Activity
from base.numbers import plain
from loyalty.because import Step, chain
from loyalty.earning.grants import value
from loyalty.earning.shares import RateBasis, count
from loyalty.earning.versions import EarningRule, basket
from metrics.windows import local_day, zone
from partners.rules import Audience

INSTANT: Final = timedelta(microseconds=1)
ON_THE_WAY: Final = frozenset(
    {"rule", "band", "full_steps", "multiplier", "boost", "points", "cap", "budget", "lot"}
)
"""The steps from a rule to the points that it granted."""


@dataclass(frozen=True, slots=True)
class Considered:
    """A rule, in the version that was asked; what it granted, and the chain of reasons, or the one why it did not.

    `had_partner`: the partner was in its audience then, as far as that was kept. `existed`: the rule did, when the
    activity was recorded.
    """

    rule: EarningRule
    points: int
    because: Sequence[Step]
    had_partner: bool = False
    existed: bool = True


def for_partner(rows: Iterable[Considered], admits: Callable[[Audience], bool]) -> list[Considered]:
    """The rules that were there, and are for a partner: their audience had it then, or `admits` it now."""
    return [one for one in rows if one.existed and (one.had_partner or admits(one.rule.audience))]


def consider(rules: Iterable[EarningRule], activity: Activity, steps: Sequence[Step]) -> list[Considered]:
    """Every rule of the program, those that paid first. `steps` are what the activity's transaction kept."""
    if activity.kind == RETURN:
        return []
    versions: dict[int, list[EarningRule]] = {}
    for rule in rules:
        versions.setdefault(rule.root, []).append(rule)
    root = steps[0] if steps else _root(activity)
    found = [_consider(of_rule, activity, steps, root) for of_rule in versions.values()]
    return sorted(found, key=lambda one: (one.points == 0, one.rule.key))


def _root(activity: Activity) -> Step:
    """The step that an activity begins with, where nothing came of it that was kept."""
    carried = {"kind": activity.kind, "source": activity.source, "externalId": activity.external_id}
    return {"step": "activity", "on": None, **carried}


def _consider(
    versions: Sequence[EarningRule], activity: Activity, steps: Sequence[Step], root: Step
) -> Considered:
    kept = _kept(versions, steps, root)
    if kept is not None:
        return kept
    rule = version_of(versions, occurred_at=activity.occurred_at, recorded_at=activity.recorded_at)
    if rule is None:
        first = min(versions, key=lambda one: one.version)
        assert first.created_at is not None, "a version without one always existed"
        on = _day(first.created_at, activity)
        created = _clocks(activity, activity.recorded_at, begins=first.created_at)
        why = _withheld(first, {"why": "later", "on": on, **created})
        return Considered(first, 0, [root, why], existed=False)
    return Considered(rule, 0, [root, _withheld(rule, failure(rule, activity))])


def _kept(versions: Sequence[EarningRule], steps: Sequence[Step], root: Step) -> Considered | None:
    """What the transaction kept of the rule: it was decided so, whatever the clocks of the processes said."""
    by_version = {one.version: one for one in versions}
    key = versions[0].key
    for place, step in enumerate(steps):
        if step["step"] == "rule" and step["rule"] == key:
            last = _last(steps, place)
            points = [one["points"] for one in steps[place : last + 1] if "points" in one]
            return Considered(by_version[step["version"]], points[-1], chain(steps, last), had_partner=True)
        if step["step"] == "withheld" and step["rule"] == key:
            had_partner = step["why"] != "audience"
            return Considered(by_version[step["version"]], 0, [root, step], had_partner)
        if step["step"] == "outside":
            for named, version, condition in step["rules"]:
                if named == key:
                    rule, reason = by_version[version], {"why": "audience", "condition": condition}
                    return Considered(rule, 0, [root, _withheld(rule, reason)])
    return None


def _withheld(rule: EarningRule, reason: Mapping[str, Any]) -> Step:
    return {"step": "withheld", "on": 0, "rule": rule.key, "version": rule.version, **reason}


def _last(steps: Sequence[Step], place: int) -> int:
    """The last step on the way from the rule at `place` to its points."""
    for next_ in range(place + 1, len(steps)):
        if steps[next_]["on"] == place and steps[next_]["step"] in ON_THE_WAY:
            place = next_
    return place


def version_of(
    versions: Iterable[EarningRule], *, occurred_at: datetime, recorded_at: datetime
) -> EarningRule | None:
    """The version that was asked: of those that existed, the newest that held. None where there was none yet."""
    held = [
        one
        for one in versions
        if (one.created_at is None or one.created_at <= recorded_at)
        and (one.effective_from is None or one.effective_from <= occurred_at)
    ]
    return max(held, key=lambda one: one.version, default=None)


def failure(rule: EarningRule, activity: Activity) -> dict[str, Any]:
    """The first condition that fails, of those that anybody can look up, with its numbers."""
    terms, instant = rule.terms, activity.occurred_at
    if rule.activity_kind != activity.kind:
        return {"why": "kind", "kind": rule.activity_kind}
    if rule.starts_at is not None and rule.ended_at is not None and rule.ended_at <= rule.starts_at:
        return {"why": "never_began", "on": _day(rule.ended_at, activity)}
    if rule.starts_at is not None and instant < rule.starts_at:
        begins = _clocks(activity, instant, begins=rule.starts_at)
        return {"why": "not_begun", "on": _day(rule.starts_at, activity), **begins}
    ends = [one for one in (rule.ends_at, rule.ended_at) if one is not None and one <= instant]
    if ends:
        last = _day(min(ends) - INSTANT, activity)
        return {"why": "over", "on": last, **_clocks(activity, instant, ends=min(ends))}
    lines = [line for line in activity.lines if rule.filter.admits(line)]
    if not lines and not (not activity.lines and rule.filter.is_empty):
        return {"why": "lines"}
    clock = terms.clock_failure(instant, activity.time_zone)
    if clock == "hours":
        assert terms.hours is not None
        hours = {"opens": f"{terms.hours.opens:%H:%M}", "closes": f"{terms.hours.closes:%H:%M}"}
        return {"why": "hours", **hours, "at": f"{instant.astimezone(zone(activity.time_zone)):%H:%M}"}
    if clock == "weekday":
        local = instant.astimezone(zone(activity.time_zone))
        day = terms.day_of(local)
        night = {"night": True} if day != local.date() else {}
        return {"why": "weekday", "weekdays": list(terms.weekdays), "weekday": day.isoweekday(), **night}
    worth = plain(basket(activity.lines))
    if terms.min_basket is not None and basket(activity.lines) < terms.min_basket:
        return {"why": "basket", "worth": worth, "least": plain(terms.min_basket)}
    if terms.max_basket is not None and basket(activity.lines) > terms.max_basket:
        return {"why": "basket", "worth": worth, "most": plain(terms.max_basket)}
    made = value(rule, lines)
    if not made.band.rate:
        return {"why": "band", "counted": plain(count(RateBasis.QUANTITY, lines))}
    if terms.step is not None and not made.times:
        return {"why": "step", "counted": plain(made.counted), "size": plain(terms.step)}
    return {"why": "rounding", "exact": plain(made.exact)}


def _day(instant: datetime, activity: Activity) -> str:
    return local_day(instant, activity.time_zone).isoformat()


def _clocks(activity: Activity, at: datetime, **bound: datetime) -> dict[str, str]:
    """The times of day of the bound and of `at`, where both fall on the same local day; otherwise days say enough."""
    ((name, instant),) = bound.items()
    if _day(instant, activity) != _day(at, activity):
        return {}
    local = [one.astimezone(zone(activity.time_zone)) for one in (instant, at)]
    times = (f"{one:%H:%M:%S}" if one.second else f"{one:%H:%M}" for one in local)
    return dict(zip((name, "at"), times, strict=True))
