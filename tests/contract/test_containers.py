"""That docker/ fits Mitra: the image holds all rooms; compose names settings, commands and options that there are."""

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]
from typer.main import get_command

from base.settings import Settings
from ops.cli import build_app
from tests.image.dockerfile import ROOT, admitted, read_stages

COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = {name: one for name, one in SERVICES.items() if one["image"] == "mitra"}
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
KNOWN: Final = {f"MITRA_{name.upper()}" for name in Settings.model_fields}


def test_there_are_two_apis_a_worker_and_a_migration() -> None:
    commands = {name: " ".join(one["command"]) for name, one in OURS.items()}
    assert sum("--only api" in command for command in commands.values()) == 2
    assert sum("--only worker" in command for command in commands.values()) == 1
    assert commands["migrate"] == "migrate"


@pytest.mark.parametrize("name", OURS)
def test_a_service_calls_a_command_that_there_is(name: str) -> None:
    words = OURS[name]["command"]
    command = get_command(build_app()).commands[words[0]]  # type: ignore[attr-defined]
    with command.make_context(words[0], list(words[1:])):
        pass


@pytest.mark.parametrize("name", OURS)
def test_a_service_sets_settings_that_there_are(name: str) -> None:
    environment = OURS[name]["environment"]
    assert set(environment) <= KNOWN
    values = {
        setting.removeprefix("MITRA_").lower(): re.sub(r"\$\{(\w+):[-?][^}]*\}", "", value) or None
        for setting, value in environment.items()
    }
    stated = {setting: value for setting, value in values.items() if value}
    Settings.model_validate(stated)  # each as it would be read


def test_the_image_sets_settings_that_there_are() -> None:
    settings = {name for name in read_stages()[-1].environment if name.startswith("MITRA_")}
    assert settings
    assert settings <= KNOWN


def test_no_secret_is_written_down_and_none_is_left_out_silently() -> None:
    text = (ROOT / "docker" / "compose.yaml").read_text()
    asked = dict(re.findall(r"\$\{(\w+):(.)", text))
    secrets = dict(
        row.split("=", 1)
        for row in (ROOT / "docker" / "example.env").read_text().splitlines()
        if row and not row.startswith("#")
    )
    assert set(secrets.values()) == {""}
    assert {name for name, mark in asked.items() if mark == "?"} == set(secrets)
    stated = [
        value
        for one in SERVICES.values()
        for name, value in one["environment"].items()
        if re.search("PASSWORD|SECRET|AUTH", name)
    ]
    assert stated
    assert all(value.startswith("${") for value in stated)
    assert re.findall(r"://\w*:(\$\{\w+)", text) == ["${OWNER_PASSWORD", "${REDIS_PASSWORD"]


def test_each_waits_for_what_it_needs() -> None:
    for name, one in OURS.items():
        waits = {needed: how["condition"] for needed, how in one["depends_on"].items()}
        if name == "migrate":
            assert waits == {"postgres": "service_healthy"}
            assert one["restart"] == "no"
        else:
            assert waits == {"migrate": "service_completed_successfully", "redis": "service_healthy"}
    for needed in ("postgres", "redis"):
        assert SERVICES[needed]["healthcheck"]["test"]


def test_our_containers_may_do_little() -> None:
    for one in OURS.values():
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))


def test_redis_drops_nothing_to_make_room() -> None:
    assert "--maxmemory-policy noeviction" in " ".join(SERVICES["redis"]["command"])


def test_a_worker_is_asked_where_it_answers() -> None:
    worker = OURS["worker"]
    assert f":{worker['environment']['MITRA_METRICS_PORT']}/healthz" in " ".join(
        worker["healthcheck"]["test"]
    )


def test_the_image_runs_mitra_as_nobody_in_particular() -> None:
    *_, final = read_stages()
    assert final.all("USER") == ["10001:10001"]
    assert final.all("ENTRYPOINT") == ['["mitra"]']
    assert final.all("VOLUME") == [final.environment["MITRA_DATA_DIR"]]
    assert all("slim" in stage.all("FROM")[0] for stage in read_stages())


def test_the_image_holds_all_rooms_and_nothing_else() -> None:
    rooms = {pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert set(admitted()) - rooms == {"LICENSE", "README.md", "pyproject.toml", "requirements/run.txt"}
    assert rooms <= set(admitted())


def test_a_wheel_holds_all_files_of_the_rooms() -> None:
    """Not only an editable install."""
    patterns = [*PROJECT["tool"]["setuptools"]["package-data"]["*"], "*.py"]
    rooms = [pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]]
    listed = subprocess.run(["git", "ls-files", *rooms], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {Path(row).name for row in listed.stdout.splitlines()}
    assert names
    assert [name for name in sorted(names) if not any(fnmatch.fnmatch(name, one) for one in patterns)] == []
