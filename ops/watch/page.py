"""What `/metrics` answers: the instruments of this process and of its children, and what the database says.

Each series of an instrument carries the label `process`, so that those of several add up, and none of them jumps when
one is started again. What the database says is said once, without it.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric

from base.telemetry import registry
from ops.watch.readings import Readings

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
CHILD_SECONDS: Final = 2.0

_direct: Final = build_opener(ProxyHandler({}))
"""No proxy of the environment's stands between processes."""


class _Families:
    """Families, for `generate_latest`."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class Page:
    """The page of one process. `children` are the addresses of its children's pages."""

    def __init__(
        self, process: str, *, readings: Readings | None = None, children: Sequence[str] = ()
    ) -> None:
        self._process = process
        self._readings = readings
        self._children = children

    async def text(self) -> str:
        """The page, in Prometheus's text format. A child that does not answer is left out."""
        asked = [asyncio.to_thread(fetch, url, CHILD_SECONDS) for url in self._children]
        read = [] if self._readings is None else await self._readings.families()
        told = await asyncio.gather(*asked, return_exceptions=True)
        pages = [_text(_labelled(registry.collect(), self._process)), _text(read)]
        return merge([*pages, *(one for one in told if isinstance(one, str))])


def fetch(url: str, seconds: float) -> str:
    """The page at `url`. Blocks. Raises OSError."""
    try:
        with _direct.open(url, timeout=seconds) as response:
            text: str = response.read().decode()
            return text
    except URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else OSError(str(error)) from error


def merge(pages: Iterable[str]) -> str:
    """One page of several: the series of a family stand together, under one heading."""
    heads: dict[str, list[str]] = {}
    series: dict[str, list[str]] = {}
    for page in pages:
        family = ""
        for line in page.splitlines():
            if line.startswith("# HELP "):
                family = line.split(" ", 3)[2]
                heads[family] = [line]
            elif line.startswith("#"):
                heads[family].append(line)
            else:
                series.setdefault(family, []).append(line)
    lines = [line for family, head in heads.items() for line in (*head, *series.get(family, ()))]
    return "".join(f"{line}\n" for line in lines)


def _text(families: Iterable[Metric]) -> str:
    return generate_latest(_Families(families)).decode()


def _labelled(families: Iterable[Metric], process: str) -> Iterator[Metric]:
    for family in families:
        told = Metric(family.name, family.documentation, family.type)
        told.samples = [one._replace(labels={**one.labels, "process": process}) for one in family.samples]
        yield told
