"""Device: a phone or browser that a partner's messages are pushed to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.ids import global_id
from api.schema.faults import Given, UserError
from base.errors import Forbidden
from push.devices import register_device


@strawberry.enum(description="What runs on a device.")
class DevicePlatform(StrEnum):
    ANDROID = "ANDROID"
    IOS = "IOS"
    WEB = "WEB"


@strawberry.type(description="A phone or browser that messages are pushed to.")
class Device:
    id: strawberry.ID
    platform: DevicePlatform
    locale: str | None
    registered_at: datetime


@strawberry.input
class DeviceRegisterInput:
    token: str = strawberry.field(description="As the push service gave it to the app.")
    platform: DevicePlatform
    locale: str | None = None


@strawberry.type
class DeviceRegisterPayload:
    device: Device


DeviceRegisterResult: TypeAlias = Annotated[
    DeviceRegisterPayload | UserError, strawberry.union("DeviceRegisterResult")
]


@strawberry.type
class DeviceMutation:
    @strawberry.field(description="Push the caller's messages to this device from now on.")
    async def device_register(self, info: Info, given: Given[DeviceRegisterInput]) -> DeviceRegisterResult:
        context, caller = info.context, info.context.caller
        if caller.partner_id is None or caller.partner_suspended:
            raise Forbidden("only the people of an active partner register devices")
        row = await register_device(
            program_id=context.program_id,
            partner_id=caller.partner_id,
            token=given.token,
            platform=given.platform.value,
            locale=given.locale,
            now=context.now(),
        )
        return DeviceRegisterPayload(
            device=Device(
                id=strawberry.ID(global_id("Device", caller.program.key, row.id)),
                platform=DevicePlatform(row.platform),
                locale=row.locale,
                registered_at=row.registered_at,
            )
        )
