"""What would come of activities that nobody has sent, and of rules that nobody has made."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.access import is_allowed
from api.context import Context, Info
from api.schema.activity import ActivityInput, ActivityOutcome
from api.schema.explanation import ActivityRule
from api.schema.fact import recognize
from api.schema.rule import EarningRuleCreateInput
from api.schema.scalars import BigInt
from api.schema.tier import Tier
from base.errors import Forbidden, within
from game.preview import Previewed, preview
from loyalty.earning.service import EarningRuleInput
from loyalty.ledger.books import Wallet
from loyalty.words.speech import Names


@strawberry.type(description="What a wallet would hold.")
class PreviewedWallet:
    unit: str
    available: BigInt
    pending: BigInt
    held: BigInt
    debt: BigInt

    @classmethod
    def of(cls, wallet: Wallet) -> PreviewedWallet:
        return cls(
            unit=wallet.unit,
            available=BigInt(wallet.available),
            pending=BigInt(wallet.pending),
            held=BigInt(wallet.held),
            debt=BigInt(wallet.debt),
        )


@strawberry.type(description="What would come of an activity.")
class EarningPreview:
    outcome: ActivityOutcome = strawberry.field(description="What it would be answered, with its facts.")
    rules: list[ActivityRule] = strawberry.field(description="Those that would pay first.")
    wallets: list[PreviewedWallet] = strawberry.field(
        description="The partner's, after it; none where it would not be RECORDED."
    )
    tier: Tier | None = strawberry.field(
        description="The partner's, after it; null where it would not be RECORDED, or there is no ladder."
    )

    @classmethod
    def of(cls, row: Previewed, context: Context, called: Names) -> EarningPreview:
        tier = None if row.tier is None else context.catalog.tiers_by_key.get(row.tier)
        return cls(
            outcome=ActivityOutcome.of(row.outcome, called=called),
            rules=[ActivityRule.of(one, context, called=called) for one in row.rules],
            wallets=[PreviewedWallet.of(wallet) for wallet in row.wallets],
            tier=None if tier is None else Tier.of(tier),
        )


def _supposed(rules: list[EarningRuleCreateInput], context: Context) -> list[EarningRuleInput]:
    """The rules to be tried, from whoever might create them."""
    if rules and not is_allowed(context.caller.role, "Mutation", "earningRuleCreate"):
        raise Forbidden(f"{context.caller.role} may create no rules, and try none", field=["rules"])
    found = []
    for place, one in enumerate(rules):
        with within("rules", str(place)):
            found.append(one.taken())
    return found


@strawberry.type
class PreviewQuery:
    @strawberry.field(
        description="What would come of 1 to 100 activities, each sent now, or when it occurs where that lies up to "
        "400 days ahead. Nothing of it is kept."
    )
    async def earning_preview(
        self,
        info: Info,
        activities: list[ActivityInput],
        rules: Annotated[
            list[EarningRuleCreateInput] | None,
            strawberry.argument(
                description="Up to 20, as `earningRuleCreate` takes them, and for its roles: they hold beside the "
                "program's own, or in the place of those that have their keys."
            ),
        ] = None,
    ) -> list[EarningPreview]:
        context = info.context
        supposed = _supposed(rules or [], context)
        previews = await preview(
            program_id=context.program_id,
            activities=[one.taken() for one in activities],
            rules=supposed,
            tiers=context.catalog.tiers_by_key,
            clock=context.session.clock,
        )
        await recognize((fact for one in previews for fact in one.outcome.facts), context)
        called = {("rule", one.key): one.name for one in supposed}
        return [EarningPreview.of(one, context, called) for one in previews]
