"""What a resolver has at hand: who calls, the clock, the program's catalog, and loaders.

A `Session` is one HTTP request or one socket. Each operation on it gets a `Context` of its own, so that what was loaded
for one is never answered to the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

import strawberry
from starlette.responses import Response

from api.auth import Caller, Claims, load_caller
from api.catalog import Catalog, held_catalog, load_catalog
from api.loaders import Loaders
from base.clock import Clock
from base.database import reading
from imports.limits import UploadLimits
from loyalty.sight import OWN, WHOLE
from loyalty.words import Reader, choose_language
from partners.listing import Scope


@dataclass(slots=True)
class Session:
    """An HTTP request, or a socket from its opening to its end. Without claims nobody is signed in."""

    clock: Clock
    accept_language: str | None = None
    claims: Claims | None = None
    response: Response | None = None
    connection_params: Mapping[str, Any] | None = None
    network: dict[str, Any] = field(default_factory=dict)
    upload_limits: UploadLimits = field(default_factory=UploadLimits)
    """What files may be announced."""


class Context:
    """One operation."""

    def __init__(self, session: Session, caller: Caller, catalog: Catalog) -> None:
        self.session = session
        self.caller = caller
        self.catalog = catalog
        self.loaders = Loaders(self)

    @property
    def program_id(self) -> int:
        return self.caller.program.id

    @property
    def scope(self) -> Scope:
        """The partners that the caller may see."""
        return self.caller.scope

    def now(self) -> datetime:
        """The present instant, by the injected clock."""
        return self.session.clock.now()

    @cached_property
    def language(self) -> str:
        """The reader's: the one that the request asks for, else the partner's, else the program's."""
        asked = _languages(self.session.accept_language)
        return choose_language(*asked, self.caller.partner_locale, self.caller.program.locale)

    @property
    def reader(self) -> Reader:
        """For whom `loyalty.words` puts a because into words."""
        sight = WHOLE if self.caller.partner_id is None else OWN
        return Reader(self.language, self.catalog.names, self.catalog.units, sight)

    async def renew(self) -> None:
        """See what has changed: after a mutation, and before each event of a subscription."""
        assert self.session.claims is not None
        self.caller, self.catalog = await enter(self.session.claims)
        self.loaders = Loaders(self)


Info: TypeAlias = strawberry.Info[Context, None]


async def enter(claims: Claims) -> tuple[Caller, Catalog]:
    """The caller behind proved claims, and the program's catalog: one statement where it is held."""
    async with reading() as connection:
        caller = await load_caller(connection, claims)
        catalog = held_catalog(caller.program.id, caller.config_version)
        if catalog is None:
            catalog = await load_catalog(connection, caller.program.id)
    return caller, catalog


def _languages(header: str | None) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first."""
    wanted = []
    for part in (header or "")[:1_000].split(","):
        language, _, parameters = part.partition(";")
        _, _, quality = parameters.partition("q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if weight > 0 and language.strip() not in ("", "*"):
            wanted.append((weight, language.strip()))
    return [language for _, language in sorted(wanted, key=lambda pair: -pair[0])]
