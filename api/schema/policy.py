"""ProgramPolicy: what a program has decided about its points as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.expiry import Expiry, ExpiryInput
from api.schema.faults import Given, UserError
from api.schema.scalars import BigInt
from base.database import reading
from base.errors import Invalid
from loyalty.ledger.books import POINT
from loyalty.ledger.configuring import THRESHOLDS, change_policies, load_policies
from loyalty.ledger.policies import Policies, Returns
from partners.checks import check_unique, item_path

strawberry.enum(
    Returns,
    name="ReturnsPolicy",
    description="What becomes of points that were spent before their sale came back. DEBT: they are owed. "
    "WITHIN_BALANCE: what is not there is let go. ONLY_PENDING: only points that have not matured are taken.",
)


@strawberry.type(description="Above this amount, given or taken, an adjustment awaits a second person.")
class ApprovalAbove:
    unit: str
    amount: BigInt


@strawberry.type(description="What the program has decided about its points as a whole.")
class ProgramPolicy:
    returns: Returns
    expiry: Expiry = strawberry.field(description="Of points that come with no expiry of their own.")
    adjustment_approval_above: list[ApprovalAbove] = strawberry.field(
        description="By unit; adjustments in a unit that is not here await nobody."
    )
    expiry_notice_days: list[int] = strawberry.field(
        description="How many days ahead partners are told that points expire; none: they are not."
    )

    @classmethod
    def of(cls, policies: Policies) -> ProgramPolicy:
        above = sorted(policies.approval_above.items())
        return cls(
            returns=policies.returns,
            expiry=Expiry.of(policies.expiry),
            adjustment_approval_above=[
                ApprovalAbove(unit=unit, amount=BigInt(amount)) for unit, amount in above
            ],
            expiry_notice_days=list(policies.expiry_notice_days),
        )


@strawberry.input(description="Above this amount, given or taken, an adjustment awaits a second person.")
class ApprovalAboveInput:
    unit: str = POINT
    amount: BigInt


@strawberry.input(description="What is left out stays as it is. It holds for what is posted from now on.")
class ProgramPolicySetInput:
    returns: Returns | None = None
    expiry: ExpiryInput | None = None
    adjustment_approval_above: list[ApprovalAboveInput] | None = strawberry.field(
        default=None, description="All of them: a unit that is left out awaits nobody."
    )
    expiry_notice_days: list[int] | None = strawberry.field(
        default=None,
        description="How many days ahead partners are told that points expire: up to 5 numbers, 1 to 365; [] for none.",
    )


@strawberry.type
class ProgramPolicySetPayload:
    policy: ProgramPolicy


ProgramPolicySetResult: TypeAlias = Annotated[
    ProgramPolicySetPayload | UserError, strawberry.union("ProgramPolicySetResult")
]


@strawberry.type
class PolicyQuery:
    @strawberry.field(description="What the program has decided about its points as a whole.")
    async def program_policy(self, info: Info) -> ProgramPolicy:
        async with reading() as connection:
            policies = await load_policies(connection, program_id=info.context.program_id)
        return ProgramPolicy.of(policies)


@strawberry.type
class PolicyMutation:
    @strawberry.field(description="Decide about the program's points as a whole.")
    async def program_policy_set(
        self, info: Info, given: Given[ProgramPolicySetInput]
    ) -> ProgramPolicySetResult:
        context = info.context
        expiry = None if given.expiry is None else given.expiry.taken()
        above = _thresholds(given.adjustment_approval_above)
        days = given.expiry_notice_days

        def change(stored: Policies) -> Policies:
            return replace(
                stored,
                returns=stored.returns if given.returns is None else given.returns,
                expiry=stored.expiry if expiry is None else expiry,
                approval_above=stored.approval_above if above is None else above,
                expiry_notice_days=stored.expiry_notice_days if days is None else tuple(days),
            )

        changed = await change_policies(program_id=context.program_id, change=change, now=context.now())
        return ProgramPolicySetPayload(policy=ProgramPolicy.of(changed))


def _thresholds(given: Sequence[ApprovalAboveInput] | None) -> dict[str, int] | None:
    if given is None:
        return None
    check_unique([one.unit for one in given], [THRESHOLDS], name="unit")
    for place, one in enumerate(given):
        if one.amount < 0:
            path = item_path([THRESHOLDS], place, "amount")
            raise Invalid("must be 0 or more", code="NEGATIVE", field=path)
    return {one.unit: one.amount for one in given}
