"""What the scenarios share."""

from tests.services.leaderboards.conftest import boards

__all__ = ["boards"]
