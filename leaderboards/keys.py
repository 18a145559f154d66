"""Redis keys of the boards.

Everything of one season stands under one hash tag, so that in a cluster a season lives in one slot (its scripts may
touch all its keys) and seasons spread over the servers. A generation is one filling of the board:

    mitra:{b<season>}:generations            hash   generation → how it was built; those that writes go to
    mitra:{b<season>}:<generation>:rows      hash   partner id → version, member and groups of its row
    mitra:{b<season>}:<generation>:groups    set    the groups that ever had a member
    mitra:{b<season>}:<generation>:in:<group>  sorted set   member → negated score; "" is the whole board
"""


def prefix(season_id: int) -> str:
    """What all keys of a season begin with; it holds the hash tag."""
    return f"mitra:{{b{season_id}}}:"


def generations_key(season_id: int) -> str:
    """The generations that exist. Where this key is missing, the season has no projection."""
    return f"{prefix(season_id)}generations"


def rows_key(season_id: int, generation: int) -> str:
    """Where the partners' rows of a generation stand, tombstones included."""
    return f"{prefix(season_id)}{generation}:rows"


def groups_key(season_id: int, generation: int) -> str:
    """The names of a generation's groups."""
    return f"{prefix(season_id)}{generation}:groups"


def ranking_key(season_id: int, generation: int, group: str) -> str:
    """The sorted set of a group."""
    return f"{prefix(season_id)}{generation}:in:{group}"
