"""What docker/ says, read for tests: the Dockerfile's stages, and what of the checkout a build is given."""

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "docker" / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """One stage: its instructions in order, (word, rest), with continued lines joined."""

    instructions: tuple[tuple[str, str], ...]

    def all(self, word: str) -> list[str]:
        """What the instructions of this word say."""
        return [rest for found, rest in self.instructions if found == word]

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        return dict(part.split("=", 1) for rest in self.all("ENV") for part in shlex.split(rest))

    @property
    def healthcheck(self) -> list[str]:
        """The command of HEALTHCHECK."""
        (rest,) = self.all("HEALTHCHECK")
        command: list[str] = json.loads(rest.partition("CMD ")[2])
        return command


def read_stages() -> list[Stage]:
    """The stages of the Dockerfile."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = []
    for row in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = row.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest.strip()))
    return [Stage(tuple(stage)) for stage in stages]


def admitted() -> list[str]:
    """What of the checkout's root .dockerignore lets into a build."""
    rows = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in rows, "it names what comes in, not what stays out"
    return [row[1:] for row in rows if row.startswith("!")]


def copy_context(target: Path) -> None:
    """Copy what a build is given."""
    for name in admitted():
        source, to = ROOT / name, target / name
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy2(source, to)
