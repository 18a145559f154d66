"""Node: what has a global id, and can be asked for by it."""

import strawberry


@strawberry.interface(description="What has a global id.")
class Node:
    id: strawberry.ID
