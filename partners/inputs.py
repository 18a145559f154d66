"""Programs, regions, partners and products as a caller states them, and what is wrong with each by itself.

An upsert states the whole item: what is left out is cleared. Only a partner's status and the day on which it joined
stay where they are left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from base.errors import Invalid
from partners.checks import (
    ACTIVITY_KIND,
    check_attributes,
    check_code,
    check_count,
    check_currency,
    check_known,
    check_locale,
    check_name,
    check_time_zone,
    check_unique,
    item_path,
)
from partners.packs import check_packs

ACTIVITY_KINDS: Final = ("SALE", "RETURN", "RECEIPT", "TRAINING", "VISIT")
"""The kinds of activities that a program knows where it names none of its own."""


EARLIEST_JOINING: Final = date(1900, 1, 1)
LATEST_JOINING: Final = date(2999, 12, 31)
PROGRAM_KEY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""Programs are named in tokens and commands: short, and the same however they are typed."""


class PartnerKind(StrEnum):
    """What a partner is in the channel."""

    DISTRIBUTOR = "DISTRIBUTOR"
    WHOLESALER = "WHOLESALER"
    RETAILER = "RETAILER"
    RESELLER = "RESELLER"
    AGENT = "AGENT"
    INSTALLER = "INSTALLER"


class PartnerStatus(StrEnum):
    """Whether a partner takes part. A suspended one is hidden from boards; a closed one has left."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class ProgramInput:
    """A program to create."""

    key: str
    name: str
    currency: str = "USD"
    time_zone: str = "UTC"
    locale: str = "en"
    activity_kinds: Sequence[str] = ACTIVITY_KINDS


@dataclass(frozen=True, slots=True)
class RegionInput:
    """A region; without a parent it is a root. The parent may stand later in the same input."""

    code: str
    name: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class PartnerInput:
    """A partner. `region` and `parent` by code, the parent perhaps later in the same input; zone and locale default to
    the program's. `status` left out: as it stands, ACTIVE for a new partner. `joined_on`, the local day on which it
    joined the program, left out: as it stands, the day of its creation for a new partner."""

    code: str
    name: str
    kind: PartnerKind
    region: str
    parent: str | None = None
    time_zone: str | None = None
    locale: str | None = None
    attributes: Mapping[str, Any] | None = None
    status: PartnerStatus | None = None
    joined_on: date | None = None


@dataclass(frozen=True, slots=True)
class ProductInput:
    """A product as it is from now on. `packs`: what else it is sold in, and how much of `unit` each pack holds."""

    sku: str
    name: str
    category: str | None = None
    brand: str | None = None
    unit: str = "EA"
    attributes: Mapping[str, Any] | None = None
    packs: Mapping[str, Decimal] = field(default_factory=dict)


def check_program(program: ProgramInput) -> None:
    """What is wrong with a program. INVALID_KIND beside the codes of `partners.checks`."""
    if not PROGRAM_KEY.fullmatch(program.key):
        message = "must be 1 to 63 of a-z, 0-9 and -, and begin with a letter or digit"
        raise Invalid(message, code="INVALID_CODE", field=["key"])
    check_name(program.name, ["name"])
    check_currency(program.currency, ["currency"])
    check_time_zone(program.time_zone, ["timeZone"])
    check_locale(program.locale, ["locale"])
    check_count(program.activity_kinds, ["activityKinds"], least=1, most=100)
    check_unique(program.activity_kinds, ["activityKinds"])
    for index, kind in enumerate(program.activity_kinds):
        if not ACTIVITY_KIND.fullmatch(kind):
            raise Invalid(
                f"{kind!r} is no activity kind (like SALE or SITE_VISIT)",
                code="INVALID_KIND",
                field=item_path(["activityKinds"], index),
            )


def check_regions(regions: Sequence[RegionInput]) -> None:
    """What is wrong with regions by themselves."""
    check_count(regions, ["regions"])
    for index, region in enumerate(regions):
        check_code(region.code, item_path(["regions"], index, "code"))
        check_name(region.name, item_path(["regions"], index, "name"))
    check_unique((region.code for region in regions), ["regions"], name="code")


def check_partners(partners: Sequence[PartnerInput]) -> list[str]:
    """What is wrong with partners by themselves. Answers their attributes as they are stored."""
    check_count(partners, ["partners"])
    for index, partner in enumerate(partners):
        check_code(partner.code, item_path(["partners"], index, "code"))
        check_name(partner.name, item_path(["partners"], index, "name"))
        if partner.time_zone is not None:
            check_time_zone(partner.time_zone, item_path(["partners"], index, "timeZone"))
        if partner.locale is not None:
            check_locale(partner.locale, item_path(["partners"], index, "locale"))
        if partner.joined_on is not None and not EARLIEST_JOINING <= partner.joined_on <= LATEST_JOINING:
            message = f"must lie between {EARLIEST_JOINING} and {LATEST_JOINING}"
            raise Invalid(message, code="INVALID_DATE", field=item_path(["partners"], index, "joinedOn"))
    check_known((partner.kind for partner in partners), PartnerKind, ["partners"], noun="kind", name="kind")
    check_known(
        (partner.status for partner in partners), PartnerStatus, ["partners"], noun="status", name="status"
    )
    check_unique((partner.code for partner in partners), ["partners"], name="code")
    return [
        check_attributes(partner.attributes, item_path(["partners"], index, "attributes"))
        for index, partner in enumerate(partners)
    ]


def check_products(products: Sequence[ProductInput]) -> tuple[list[str], list[str]]:
    """What is wrong with products by themselves. Answers their packs and their attributes as they are stored."""
    check_count(products, ["products"])
    for index, product in enumerate(products):
        check_code(product.sku, item_path(["products"], index, "sku"))
        check_name(product.name, item_path(["products"], index, "name"))
        for name, value in (("category", product.category), ("brand", product.brand), ("unit", product.unit)):
            if value is not None:
                check_code(value, item_path(["products"], index, name))
    check_unique((product.sku for product in products), ["products"], name="sku")
    packs = [
        check_packs(product.packs, product.unit, item_path(["products"], index, "packs"))
        for index, product in enumerate(products)
    ]
    attributes = [
        check_attributes(product.attributes, item_path(["products"], index, "attributes"))
        for index, product in enumerate(products)
    ]
    return packs, attributes
