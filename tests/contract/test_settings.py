"""That `docs/settings.md` tells the truth, and that settings are read as it says."""

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from base.settings import Environment, Settings, settings_table, signing_key
from ops.errors import describe

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MITRA_{name.upper()}", raising=False)


def test_the_page_lists_what_the_code_reads() -> None:
    written = PAGE.read_text().split("a test compares the two -->\n", 1)[1].split("<!-- /settings -->", 1)[0]
    assert written == settings_table(), "run `make settings`"


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITRA_DATABASE_URL", "")
    monkeypatch.setenv("MITRA_PORT", "")
    settings = Settings()
    assert settings.database_url is None
    assert settings.port == 8000


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITRA_ALLOWED_ORIGINS", "https://a.example/, https://b.example")
    assert Settings().allowed_origins == ("https://a.example", "https://b.example")


def test_names_of_choices_may_be_written_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITRA_ENVIRONMENT", "PRODUCTION")
    assert Settings().environment is Environment.PRODUCTION


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MITRA_PORT", "many"),
        ("MITRA_PORT", "70000"),
        ("MITRA_SECRET_KEY", "short"),
        ("MITRA_ENVIRONMENT", "staging"),
        ("MITRA_MAX_BODY_BYTES", "-1"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    line = describe(caught.value)
    assert line is not None
    assert line.startswith(f"{variable}: ")
    assert "\n" not in line


def test_the_key_is_generated_once_and_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    key = signing_key(settings)
    assert len(key) >= 32
    assert signing_key(settings) == key
    assert stat.S_IMODE((tmp_path / "data" / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret-key"]


def test_a_configured_key_is_used_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITRA_SECRET_KEY", "k" * 32)
    settings = Settings(data_dir=tmp_path / "data")
    assert signing_key(settings) == "k" * 32
    assert not (tmp_path / "data").exists()
    assert "k" * 32 not in repr(settings)
