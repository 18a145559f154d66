"""Metric: what is counted. Missions, badges, tiers and leaderboards all count with metrics."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.faults import Given, UserError
from api.schema.scalars import JSON
from metrics.queries import MetricRow
from metrics.rules import Measure
from metrics.service import FilterInput, MetricInput, create_metric

strawberry.enum(
    Measure,
    description="What a metric adds up. POINTS_EARNED leaves rewards out; POINTS_ALL counts them.",
)


@strawberry.type(description="What is counted, net of the returns that reverse it.")
class Metric:
    key: str
    name: str
    activity_kinds: list[str]
    measure: Measure

    @classmethod
    def of(cls, row: MetricRow) -> Metric:
        return cls(
            key=row.key,
            name=row.name,
            activity_kinds=list(row.activity_kinds),
            measure=Measure(row.measure),
        )


@strawberry.input(description="Which lines count: every condition that is set must hold.")
class MetricFilterInput:
    skus: list[str] | None = None
    categories: list[str] | None = None
    brands: list[str] | None = None
    min_amount: Decimal | None = strawberry.field(default=None, description="Of a line; so is `maxAmount`.")
    max_amount: Decimal | None = None
    attributes: JSON | None = strawberry.field(
        default=None,
        description="Of the product: by name, one value or a list of those that count: texts, numbers, true or false.",
    )

    def taken(self) -> FilterInput:
        return FilterInput(
            skus=self.skus or (),
            categories=self.categories or (),
            brands=self.brands or (),
            min_amount=self.min_amount,
            max_amount=self.max_amount,
            attributes=self.attributes,
        )


@strawberry.input
class MetricCreateInput:
    key: str
    name: str
    activity_kinds: list[str] | None = strawberry.field(
        default=None, description="SALE where left out; for a measure of points, all kinds."
    )
    measure: Measure
    filter: MetricFilterInput | None = None


@strawberry.type
class MetricCreatePayload:
    metric: Metric


MetricCreateResult: TypeAlias = Annotated[
    MetricCreatePayload | UserError, strawberry.union("MetricCreateResult")
]


@strawberry.type
class MetricQuery:
    @strawberry.field(description="What the program counts with, by key.")
    def metrics(self, info: Info) -> list[Metric]:
        return [Metric.of(row) for row in info.context.catalog.metrics.values()]


@strawberry.type
class MetricMutation:
    @strawberry.field(
        description="Create a metric. It never changes: another way of counting is another metric."
    )
    async def metric_create(self, info: Info, given: Given[MetricCreateInput]) -> MetricCreateResult:
        context = info.context
        metric = MetricInput(
            key=given.key,
            name=given.name,
            measure=given.measure,
            activity_kinds=given.activity_kinds,
            filter=given.filter.taken() if given.filter else None,
        )
        row = await create_metric(program_id=context.program_id, metric=metric, now=context.now())
        await context.renew()
        return MetricCreatePayload(metric=Metric.of(context.catalog.metrics[row.id]))
