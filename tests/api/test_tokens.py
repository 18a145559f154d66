"""`mitra token`, and the tokens that `make run` prints."""

import json
import urllib.request

import pytest
import typer
from typer.testing import CliRunner

from api.auth import LocalTokens, load_caller
from api.roles import REGIONAL, Role
from base.database import reading
from ops.commands.token import register, role_tokens
from tests.api.door import DEVELOPMENT, KEY
from tests.command import Mitra
from tests.world import make_world


@pytest.mark.usefixtures("database")
async def test_a_token_for_each_role_signs_in() -> None:
    await make_world()
    tokens = await role_tokens(DEVELOPMENT)
    assert [label.split()[0] for label, _ in tokens] == [role.value for role in Role]
    for label, token in tokens:
        claims = await LocalTokens(KEY).verify(token)
        async with reading() as connection:
            caller = await load_caller(connection, claims)
        assert caller.role.value == label.split()[0]
        assert (caller.partner_id is not None) is (caller.role is Role.PARTNER)
        assert (caller.region_ids is not None) is (caller.role in REGIONAL)


def test_the_command_prints_only_the_token(mitra: Mitra, own: dict[str, str]) -> None:
    running = mitra.start("serve", "--only", "api", **own).wait_ready()
    assert mitra.run("program", "create", "harbour", "--name", "Harbour Foods", **own).returncode == 0
    printed = mitra.run("token", "--role", "admin", **own)  # while it is served
    assert printed.returncode == 0, printed.stderr
    (token,) = printed.stdout.split()
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/graphql",
        json.dumps({"query": "{ viewer { program { key } } }"}).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        assert json.load(response) == {"data": {"viewer": {"program": {"key": "harbour"}}}}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--role", "PARTNER"), "--partner"),
        (("--role", "SALES_REP"), "--region"),
        (("--role", "ADMIN", "--region", "JKT"), "--region"),
        (("--role", "REGIONAL_LEAD", "--region", "JKT", "--partner", "shop"), "--partner"),
        (("--role", "marketing"), "--role"),
    ],
)
def test_a_role_has_the_options_that_it_needs_and_no_other(arguments: tuple[str, ...], told: str) -> None:
    app = typer.Typer()
    register(app)
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    assert told in refused.output


def test_a_role_that_is_none_is_answered_with_the_roles_as_they_are_written() -> None:
    app = typer.Typer()
    register(app)
    refused = CliRunner().invoke(
        app, ["--role", "marketing"], env={"COLUMNS": "400", "TERMINAL_WIDTH": "400"}
    )
    assert refused.exit_code == 2
    told = " ".join(refused.output.split())
    assert f"there is no role 'marketing'; it is one of {', '.join(role.value for role in Role)}" in told
    assert "Value error" not in told
