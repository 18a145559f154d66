"""GraphiQL at `/graphql`, in development.

Its code comes from the package index with `make setup`, hash-locked like everything else: the wheel of
datasette-graphql carries it, and is installed for that alone. So the page needs no other host, and says so to the
browser. Where the wheel is not installed, the page says what to do.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

HERE: Final = Path(__file__).parent
PACKAGE: Final = "datasette_graphql"

OF_PACKAGE: Final = {
    "graphiql.js": "graphiql.1.5.1.min.js",
    "graphiql.css": "graphiql.1.5.1.min.css",
    "react.js": "react.production.17.0.2.min.js",
    "react-dom.js": "react-dom.production.17.0.2.min.js",
}
OURS: Final = ("start.js", "start.css")

POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",  # GraphiQL's bundle makes functions out of text
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss:",
        "frame-ancestors 'none'",
    )
)

NOT_INSTALLED: Final = """<!doctype html>
<meta charset="utf-8"><title>Mitra</title>
<p>GraphiQL is not installed here: <code>make setup</code> installs it. The API answers at this address all the same.
"""


def page() -> Response:
    """The page."""
    if _assets() is None:
        return HTMLResponse(NOT_INSTALLED)
    return HTMLResponse((HERE / "page.html").read_text(), headers={"content-security-policy": POLICY})


def graphiql_routes(path: str) -> list[BaseRoute]:
    """Where the page's assets are served."""
    return [Route(f"{path}/assets/{{name}}", _asset)]


async def _asset(request: Request) -> Response:
    found = (_assets() or {}).get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    return FileResponse(found, headers={"cache-control": "no-cache"})


def _assets() -> Mapping[str, Path] | None:
    """The files by the names that they are served under; None where the wheel is not installed."""
    spec = find_spec(PACKAGE)  # finds the folder, and imports nothing
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "static"
    installed = {name: folder / file for name, file in OF_PACKAGE.items()}
    return installed | {name: HERE / name for name in OURS}
