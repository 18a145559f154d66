"""Rules that do not exist, or say something else: what they would be beside those that do. Checked, and never written.

A supposed rule holds as if it had been there all along: for whatever its dates admit, whenever that occurred. Where its
key exists it stands in the place of all versions of that rule, and goes on with what these count and have spent.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from activity.rules import EARLIEST
from base.database import Connection
from base.errors import Invalid, within
from loyalty.earning.counters import Budget, Counters
from loyalty.earning.inputs import check_end
from loyalty.earning.queries import compile_version
from loyalty.earning.rules import Earning
from loyalty.earning.service import EarningRuleInput, check_rule
from loyalty.earning.versions import EarningRule
from loyalty.ledger.expiry import check_last_day
from partners.checks import check_count, check_unique
from partners.configuration import settle_key

MOST_SUPPOSED: Final = 20


@dataclass(frozen=True, slots=True)
class Supposed:
    """A program's rules with those that are supposed. `limits`: their budgets by root, of those that have one."""

    earning: Earning
    limits: Mapping[int, int]

    def limit(self, counters: Counters) -> Counters:
        """The counters with these budgets in the place of what is stored: what was spent of one stays spent."""
        budgets = dict(counters.budgets)
        for root, limit in self.limits.items():
            spent = budgets[root].spent if root in budgets else 0
            budgets[root] = Budget(limit, spent)
        return Counters(counters.usage, budgets)


async def suppose_rules(
    connection: Connection,
    earning: Earning,
    *,
    program_id: int,
    kinds: Collection[str],
    rules: Sequence[EarningRuleInput],
    tiers: Collection[str],
    now: datetime,
) -> Supposed:
    """These rules beside the program's, `earning`. Reads only. `kinds`: the program's of activities; `tiers`: its keys.

    TOO_MANY, DUPLICATE; and of each, in `rules.<place>`, what `create_earning_rule` refuses, RULE_ENDED, and KEY_TAKEN
    where a rule of that key is for another kind of activity or pays in another unit.
    """
    check_count(rules, ["rules"], most=MOST_SUPPOSED)
    check_unique([one.key for one in rules], ["rules"], name="key")
    newest = {one.key: one for one in earning.by_id.values()}  # of each key its last version comes last
    free_id = max(earning.by_id, default=0) + 1
    made = []
    for place, rule in enumerate(rules):
        with within("rules", str(place)):
            content = await check_rule(connection, program_id=program_id, kinds=kinds, rule=rule, tiers=tiers)
            check_last_day(rule.terms.expiry, now=now, field=["expiry"])
            before = newest.get(rule.key)
            if before is None:
                check_end(rule.ends_at, now=now)
            else:
                _check_change(rule, before)
        del content["name"]
        version = compile_version(
            **content,
            id=free_id + place,
            root=0 if before is None else before.root,
            key=rule.key,
            version=1 if before is None else before.version + 1,
            activity_kind=rule.activity_kind,
        )
        made.append(version)
    replaced = {one.root for one in made}
    kept = [replace(one, until=EARLIEST) if one.root in replaced else one for one in earning.by_id.values()]
    limits = {one.root: one.terms.budget for one in made if one.terms.budget is not None}
    return Supposed(Earning([*kept, *made]), limits)


def _check_change(rule: EarningRuleInput, before: EarningRule) -> None:
    """Whether the rule can be a version of one that exists. RULE_ENDED, KEY_TAKEN."""
    if before.ended_at is not None:
        raise Invalid(f"the rule {rule.key!r} has ended", code="RULE_ENDED", field=["key"])
    settle_key(
        rule.key,
        stored={"activityKind": before.activity_kind, "unit": before.terms.unit},
        asked={"activityKind": rule.activity_kind, "unit": rule.unit},
    )
