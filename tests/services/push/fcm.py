"""A server on this machine that speaks FCM v1 and hands out access tokens, and the account that signs in to it."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PROJECT: Final = "mitra-test"
FCM_ERROR: Final = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


def error_answer(status: int, code: str, *, fcm_code: str | None = None) -> tuple[int, dict[str, Any]]:
    """An error as FCM words it."""
    details = [{"@type": FCM_ERROR, "errorCode": fcm_code}] if fcm_code else []
    return status, {"error": {"code": status, "status": code, "message": f"said {code}", "details": details}}


UNREGISTERED: Final = error_answer(404, "NOT_FOUND", fcm_code="UNREGISTERED")
UNAVAILABLE: Final = error_answer(503, "UNAVAILABLE", fcm_code="UNAVAILABLE")
INTERNAL: Final = error_answer(500, "INTERNAL", fcm_code="INTERNAL")
QUOTA: Final = error_answer(429, "RESOURCE_EXHAUSTED", fcm_code="QUOTA_EXCEEDED")
SENDER_MISMATCH: Final = error_answer(403, "PERMISSION_DENIED", fcm_code="SENDER_ID_MISMATCH")
INVALID: Final = error_answer(400, "INVALID_ARGUMENT", fcm_code="INVALID_ARGUMENT")


class FcmServer:
    """Takes every message, unless an address has other answers waiting in `answers`; keeps what it took in `taken`."""

    def __init__(self) -> None:
        self.answers: dict[str, deque[tuple[int, dict[str, Any]]]] = {}
        self.headers: Mapping[str, str] = {}
        self.taken: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        self.sign_ins = 0
        self.sign_in_status = 200
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def will_answer(self, address: str, *answers: tuple[int, dict[str, Any]]) -> None:
        """Answer so to the next messages for `address`."""
        self.answers.setdefault(address, deque()).extend(answers)

    def addresses(self) -> list[str]:
        """Where the messages went, in the order in which they came."""
        return [message.get("token") or message["fid"] for message in self.taken]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if path == "/token":
            self.sign_ins += 1
            if self.sign_in_status != 200:
                return self.sign_in_status, {"error": "invalid_grant", "error_description": "said no"}
            return 200, {"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}
        self.paths.add(path)
        message = json.loads(body)["message"]
        self.taken.append(message)
        waiting = self.answers.get(message.get("token") or message["fid"])
        if waiting:
            return waiting.popleft()
        return 200, {"name": f"projects/{PROJECT}/messages/{len(self.taken)}"}

    def _handler(fcm) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # `self` is the handler's, inside
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                status, answer = fcm._answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in fcm.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        return Handler


def write_account(path: Path, *, server: FcmServer) -> Path:
    """A service account with a key that was made for this test, which signs in at `server`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "test",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": f"test@{PROJECT}.example",
        "client_id": "1",
        "token_uri": f"{server.url}/token",
    }
    path.write_text(json.dumps(account))
    return path
