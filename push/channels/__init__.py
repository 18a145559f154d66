"""The ways out to a person: one file each, all of the shape in `protocol.py`."""

from pathlib import Path
from typing import Final

from push.channels.protocol import Channel

PHONE: Final = "PHONE"


def open_channels(*, firebase_credentials: Path | None) -> list[Channel]:
    """The channels that are configured, for `deliveries.deliver_due`; Invalid where credentials cannot be read."""
    channels: list[Channel] = []
    if firebase_credentials is not None:
        # firebase-admin takes half a second to import: only who pushes pays for it.
        from push.channels.phone import PhoneChannel

        channels.append(PhoneChannel(firebase_credentials))
    return channels
