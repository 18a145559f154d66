"""What README and the how-to pages tell a newcomer to paste does what they say; a week of the demo is loaded."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.command import ROOT, Mitra, wait_until

README: Final = (ROOT / "README.md").read_text()
BLOCKS: Final = dict(
    re.findall(r"<!-- walkthrough: (\w+) -->\n```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
)
EXCERPTS: Final = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
]
HOW_TO: Final = ("record-from-your-system", "design-a-mission", "define-a-board")
FENCE: Final = re.compile(r"^```(graphql|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DONE: Final = "-- that was the block --"


class Served(NamedTuple):
    """A server that runs: its data folder and its port."""

    data_dir: Path
    port: int
    command: Mitra


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`mitra serve` with the last week of the demo."""
    with Mitra(tmp_path_factory.mktemp("walkthrough") / ".mitra") as command:
        running = command.start("serve").wait_ready()
        loaded = command.run("demo", "--weeks", "1")
        assert loaded.returncode == 0, loaded.stderr
        assert running.port is not None
        yield Served(command.data_dir, running.port, command)


class Shell:
    """A bash in the checkout that is pasted into, block by block."""

    def __init__(self, served: Served, errors: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MITRA_")}
        inherited["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
        self._errors = errors
        with open(errors, "wb") as log:
            self._bash = subprocess.Popen(
                ["bash"],
                cwd=ROOT,
                env=inherited | {"MITRA_DATA_DIR": str(served.data_dir), "MITRA_PORT": str(served.port)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def paste(self, name: str) -> str:
        """What a block of the walkthrough prints."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{BLOCKS[name]}\necho '{DONE}'\n")
        self._bash.stdin.flush()
        lines = list(iter(self._bash.stdout.readline, f"{DONE}\n"))
        assert self._errors.read_text() == ""
        return "".join(lines)

    def ask(self, name: str) -> Any:
        """The data of the answer that a block prints."""
        answer = json.loads(self.paste(name))
        assert "errors" not in answer
        return answer["data"]

    def outcome(self, name: str) -> dict[str, Any]:
        """What became of the one activity that a block sends."""
        (outcome,) = self.ask(name)["activityRecord"]["outcomes"]
        assert outcome["error"] is None
        return dict(outcome)

    def look(self) -> "Look":
        """What the walkthrough's look at the shop shows."""
        partner = self.ask("look")["viewer"]["partner"]
        assert partner["name"] == "Little Maple Stores"
        states = {
            edge["node"]["mission"]["title"]: edge["node"]["state"] for edge in partner["missions"]["edges"]
        }
        place: dict[str, Any] = next(iter(partner["standings"]), {})
        return Look(
            partner["wallet"]["available"], states[MISSION], place.get("position"), int(place.get("score", 0))
        )

    def close(self) -> None:
        """End it."""
        self._bash.communicate(timeout=30)


class Look(NamedTuple):
    """The shop: its balance, how far its mission is, its place on the board."""

    balance: int
    mission: str
    position: int | None
    score: int


MISSION: Final = "The season of baking"


def points(facts: list[dict[str, Any]]) -> list[int]:
    """The points that were posted."""
    return [fact["amount"] for fact in facts if fact["__typename"] == "PointsPosted"]


@pytest.fixture
def shell(served: Served, tmp_path: Path) -> Iterator[Shell]:
    """A terminal beside the server."""
    opened = Shell(served, tmp_path / "errors")
    yield opened
    opened.close()


def test_the_readme_keeps_its_promises(shell: Shell) -> None:
    assert shell.paste("setup") == ""
    before = shell.look()
    assert before.mission == "ACTIVE"

    sold = shell.outcome("sale")
    assert sold == {"status": "RECORDED", "error": None, "facts": EXCERPTS[0]["facts"]}
    gained = points(sold["facts"])
    reward = gained[-1]
    wait_until(lambda: shell.look().score == before.score + sum(gained) - reward, "the board moved")
    after = shell.look()
    assert (after.balance, after.mission) == (before.balance + sum(gained), "COMPLETED")
    assert after.position is not None
    assert before.position is None or after.position < before.position or before.position == 1

    again = shell.outcome("duplicate")
    assert again == sold | {"status": "DUPLICATE"}
    assert shell.look() == after

    taken = shell.outcome("return")
    assert taken["status"] == "RECORDED"
    assert {"__typename": "MissionRevoked", "mission": {"title": MISSION}} in taken["facts"]
    lost = points(taken["facts"])
    assert max(lost) < 0
    assert lost[-1] == -reward
    wait_until(lambda: shell.look().score < after.score, "the board moved back")
    back = shell.look()
    assert (back.balance, back.mission) == (after.balance + sum(lost), "REVOKED")
    assert before.balance < back.balance
    assert back.position is not None
    assert back.position >= after.position

    entries = [edge["node"] for edge in shell.ask("why")["viewer"]["partner"]["wallet"]["entries"]["edges"]]
    assert (entries[0]["kind"], entries[0]["amount"], entries[0]["balanceAfter"]) == (
        "REVERSE",
        -reward,
        back.balance,
    )
    assert entries[0]["because"][1:] == EXCERPTS[1]["because"][1:]

    activity = shell.ask("journal")["activity"]
    assert activity["stands"]
    assert [line["quantityLeft"] for line in activity["lines"]] == ["0", "30", "12"]

    assert shell.outcome("sale")["status"] == "RECORDED", "it can be pasted again"
    assert shell.look().mission == "COMPLETED"
    assert shell.outcome("return")["status"] == "RECORDED"
    assert shell.look().mission == "REVOKED"


def test_the_how_to_pages_work(served: Served) -> None:
    token = served.command.run("token", "--role", "ADMIN").stdout.strip()

    def post(document: str, variables: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{served.port}/graphql",
            json.dumps({"query": document, "variables": variables}).encode(),
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    for page in HOW_TO:
        record = ""
        for language, text in FENCE.findall((ROOT / "docs" / "how-to" / f"{page}.md").read_text()):
            # The mission ends in the year to come, whenever this runs.
            dated = text.replace("2027-01-01", f"{datetime.now(UTC).year + 1}-02-01")
            if language == "graphql":
                record = dated if "$input" in dated else record
                answer = post(dated, {}) if "$input" not in dated else {"data": {}}
            elif "kind" in (given := json.loads(dated)):
                answer = post(record, {"input": {"activities": [given]}})
            elif "input" in given:
                answer = post(record, given)
            else:
                continue
            assert "errors" not in answer, (page, text, answer)
            for field in answer["data"].values():
                assert field is None or "code" not in field or "message" not in field, (page, text, answer)
                assert all(one["error"] is None for one in (field or {}).get("outcomes", ())), (
                    page,
                    text,
                    answer,
                )
