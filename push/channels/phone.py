"""Phone push through Firebase Cloud Messaging (FCM v1), by firebase-admin.

Three things of firebase-admin 7.7 must not stand, and are mended where the app is opened:
it repeats 500 and 503 four times by itself, with pauses, while our deliveries have their own schedule; it fetches the
access token with a blocking call on the event loop; and closing an app runs a second event loop.

An app belongs to the event loop of its first use, so there is one `PhoneChannel` per process and loop.
"""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import firebase_admin
from firebase_admin import _http_client, credentials, exceptions, messaging
from firebase_admin._retry import HttpxRetry
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from base.errors import Invalid
from push.channels import PHONE
from push.channels.protocol import Gone, Outcome, Parcel, Refused, Retry, Sent

TIMEOUT_SECONDS: Final = 10
PAGE: Final = 250  # FCM's client takes 500; a page is also what a crash may send twice
INSTALLATION_ID_LENGTH: Final = 22

RETRIED: Final = (
    messaging.QuotaExceededError,
    exceptions.ResourceExhaustedError,
    exceptions.UnavailableError,
    exceptions.InternalError,
    exceptions.DeadlineExceededError,
    exceptions.AbortedError,
    exceptions.UnknownError,  # a broken connection, an answer that is none
    exceptions.UnauthenticatedError,  # a clock that is off, a key that is being rotated
)


class PhoneChannel:
    """Sends as the service account in the file `certificate`; Invalid where that cannot be read."""

    name = PHONE
    page = PAGE

    def __init__(self, certificate: Path) -> None:
        try:
            self._certificate = credentials.Certificate(str(certificate))
        except (OSError, ValueError) as error:
            raise Invalid(
                f"{certificate} is not a Firebase service account file: {' '.join(str(error).split())}",
                code="MITRA_FIREBASE_CREDENTIALS",
            ) from error
        if not self._certificate.project_id:
            raise Invalid(f"{certificate} names no project_id", code="MITRA_FIREBASE_CREDENTIALS")
        self._app: firebase_admin.App | None = None
        self._http: Any = None

    async def send(self, parcels: Sequence[Parcel]) -> Sequence[Outcome]:
        """Send up to `PAGE` parcels; an error with the service account itself is everyone's."""
        app = self._open()
        try:
            await self._authorize()
        except GoogleAuthError as error:
            return [Retry(f"SIGN_IN: {error}")] * len(parcels)
        messages = [_message(parcel) for parcel in parcels]
        answer = await messaging.send_each_async(messages, app=app)
        return [_outcome(response.exception) for response in answer.responses]

    async def close(self) -> None:
        """Close the connections and forget the app."""
        if self._app is not None:
            app, self._app = self._app, None
            await self._http.aclose()
            # It calls asyncio.run() to close what is closed by now, which only another thread may.
            await asyncio.to_thread(firebase_admin.delete_app, app)

    def _open(self) -> firebase_admin.App:
        if self._app is None:
            self._app = firebase_admin.initialize_app(
                self._certificate, {"httpTimeout": TIMEOUT_SECONDS}, name=f"mitra-{uuid.uuid4()}"
            )
            service = messaging._get_messaging_service(self._app)
            self._http = service._async_client = _http_client.HttpxAsyncClient(
                credential=self._certificate.get_credential(),
                retry_config=HttpxRetry(max_retries=0),
                timeout=TIMEOUT_SECONDS,
            )
        return self._app

    async def _authorize(self) -> None:
        """Fetch the access token in a thread, so that the library finds a valid one."""
        credential = self._certificate.get_credential()
        if not credential.valid:
            await asyncio.to_thread(credential.refresh, Request())


def _message(parcel: Parcel) -> messaging.Message:
    message = messaging.Message(
        notification=messaging.Notification(title=parcel.title, body=parcel.body), data=dict(parcel.data)
    )
    # An app of today registers with its installation id, an older one with a registration token, which is longer.
    if len(parcel.address) == INSTALLATION_ID_LENGTH:
        message.fid = parcel.address
    else:
        message.token = parcel.address
    return message


def _outcome(error: Any) -> Outcome:
    if error is None:
        return Sent()
    said = f"{type(error).__name__.removesuffix('Error')}: {' '.join(str(error).split())}"
    if isinstance(error, messaging.UnregisteredError):
        return Gone(said)
    if isinstance(error, messaging.SenderIdMismatchError):
        return Refused(f"{said} (the device belongs to another Firebase project than the credentials)")
    if isinstance(error, RETRIED):
        return Retry(said, after=_retry_after(error))
    return Refused(said)


def _retry_after(error: Any) -> timedelta | None:
    """What the service asked for, in seconds; a date is left to our own schedule."""
    response = error.http_response
    seconds = response.headers.get("Retry-After", "") if response is not None else ""
    return timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < 6 else None
