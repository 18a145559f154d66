"""What the tests of the command's use cases share."""

from tests.services.leaderboards.conftest import boards

__all__ = ["boards"]
