"""What an operation reaches, and what it costs.

The price of an operation is the number of fields that its answer may hold: a list multiplies what stands in it, by the
`first` that it is asked for or by what such lists usually hold. It is worked out once per document as far as it does
not depend on variables, and finished per request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from api.access import Path, Reach

DEAREST: Final = 50_000
DEFAULT_FIRST: Final = 20
LARGEST_FIRST: Final = 100
USUAL: Final = 5
"""How many a list holds that has no `first`."""
USUAL_OF: Final[Mapping[tuple[str, str], int]] = {
    ("ActivityRecordPayload", "outcomes"): 100,
    ("Query", "leaderboards"): 20,
    ("Query", "badges"): 50,
    ("Query", "metrics"): 50,
    ("Query", "earningRules"): 50,
    ("Query", "activityExplain"): 50,
    ("Query", "earningPreview"): 20,
    ("EarningPreview", "rules"): 20,
    ("Query", "segments"): 50,
    ("Leaderboard", "around"): 20,
    ("LeaderboardChange", "top"): 1,
    ("Liability", "months"): 50,
}
WEIGHTS: Final[Mapping[tuple[str, str], int]] = {("ImportRefusal", "cells"): 50}
"""As how many fields one counts that holds more than a value."""


@dataclass(frozen=True, slots=True)
class First:
    """An argument `first`: its value, or the variable that holds it and what stands in for that."""

    path: Path
    value: int
    variable: str | None = None

    def given(self, variables: Mapping[str, Any]) -> int:
        """How many are asked for."""
        if self.variable is None or self.variable not in variables:
            return self.value
        value = variables[self.variable]
        return self.value if value is None else value if type(value) is int else LARGEST_FIRST


@dataclass(frozen=True, slots=True)
class Price:
    """So many fields, and what some lists multiply."""

    fields: int = 0
    lists: tuple[tuple[First, Price], ...] = ()

    def times(self, count: int) -> Price:
        """The price of so many of it."""
        return Price(self.fields * count, tuple((first, price.times(count)) for first, price in self.lists))

    def of(self, variables: Mapping[str, Any], known: dict[int, int]) -> int:
        """The price with these variables; shared parts are worked out once."""
        found = known.get(id(self))
        if found is None:
            found = self.fields + sum(
                max(0, first.given(variables)) * price.of(variables, known) for first, price in self.lists
            )
            known[id(self)] = found
        return found


@dataclass(frozen=True, slots=True)
class Operation:
    """What an operation reaches, each (type, field) once, its `first` arguments, and its price.

    `name` is what it is counted by: its kind and its one root field, whatever its sender calls it. Introspection is no
    matter of roles: it is on or off, and not reached here.
    """

    name: str
    is_subscription: bool
    reached: tuple[Reach, ...]
    firsts: tuple[First, ...]
    price: Price

    def faults(self, variables: Mapping[str, Any]) -> list[GraphQLError]:
        """What of it is out of bounds with these variables."""
        for first in self.firsts:
            value = first.given(variables)
            if not 1 <= value <= LARGEST_FIRST:
                return [
                    GraphQLError(
                        f"first is {value}: it must be 1 to {LARGEST_FIRST}.",
                        path=list(first.path),
                        extensions={"code": "FIRST_OUT_OF_RANGE", "field": [*first.path, "first"]},
                    )
                ]
        price = self.price.of(variables, {})
        if price > DEAREST:
            message = f"The answer may hold {price:,} fields: {DEAREST:,} at most. Ask for smaller pages."
            return [GraphQLError(message, extensions={"code": "OPERATION_TOO_DEAR"})]
        return []


def measure(schema: GraphQLSchema, document: DocumentNode) -> dict[str | None, Operation]:
    """The operations of a valid document by name. A document of one operation has it under None too."""
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    operations: dict[str | None, Operation] = {}
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            operations[node.name.value if node.name else None] = _Measuring(
                schema, fragments, node
            ).measured()
    if len(operations) == 1:
        operations[None] = next(iter(operations.values()))
    return operations


class _Measuring:
    """One operation. Fragments are measured once; the path of what is in one is that of its first spread."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        operation: OperationDefinitionNode,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._operation = operation
        self._defaults = {
            one.variable.name.value: int(one.default_value.value)
            for one in operation.variable_definitions or ()
            if isinstance(one.default_value, IntValueNode)
        }
        self._prices: dict[str, Price] = {}
        self._reached: dict[tuple[str, str], Path] = {}
        self._firsts: list[First] = []

    def measured(self) -> Operation:
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None, "the document is valid"
        price = self._price(root, self._operation.selection_set, ())
        reached = tuple((*pair, path) for pair, path in self._reached.items())
        is_subscription = self._operation.operation is OperationType.SUBSCRIPTION
        return Operation(self._name(root.name), is_subscription, reached, tuple(self._firsts), price)

    def _name(self, root: str) -> str:
        fields = [field for parent, field in self._reached if parent == root]
        field = fields[0] if len(fields) == 1 else "several" if fields else "introspection"
        return f"{self._operation.operation.value} {field}"

    def _price(self, parent: Any, selections: SelectionSetNode, path: Path) -> Price:
        fields = 0
        lists: list[tuple[First, Price]] = []
        for node in selections.selections:
            match node:
                case FieldNode():
                    price = self._price_of_field(parent, node, path)
                case InlineFragmentNode():
                    within = parent
                    if node.type_condition is not None:
                        within = self._schema.type_map[node.type_condition.name.value]
                    price = self._price(within, node.selection_set, path)
                case _:
                    price = self._price_of_fragment(node.name.value, path)  # type: ignore[attr-defined]
            fields += price.fields
            lists.extend(price.lists)
        return Price(fields, tuple(lists))

    def _price_of_fragment(self, name: str, path: Path) -> Price:
        if name not in self._prices:
            node = self._fragments[name]
            within = self._schema.type_map[node.type_condition.name.value]
            self._prices[name] = self._price(within, node.selection_set, path)
        return self._prices[name]

    def _price_of_field(self, parent: Any, node: FieldNode, path: Path) -> Price:
        name = node.name.value
        path = (*path, node.alias.value if node.alias else name)
        if name.startswith("__"):
            return Price(1)
        self._reached.setdefault((parent.name, name), path)
        definition: GraphQLField = parent.fields[name]
        first = self._first(definition, node, path)
        if first is not None:
            self._firsts.append(first)
        if node.selection_set is None:
            return Price(WEIGHTS.get((parent.name, name), 1))
        under = self._price(get_named_type(definition.type), node.selection_set, path)
        if first is None:
            count = (
                1 if name == "edges" or not _is_list(definition) else USUAL_OF.get((parent.name, name), USUAL)
            )
            under = under.times(count)
            return Price(under.fields + 1, under.lists)
        if first.variable is None and not under.lists:
            return Price(under.fields * max(0, first.value) + 1)
        return Price(1, ((first, under),))

    def _first(self, definition: GraphQLField, node: FieldNode, path: Path) -> First | None:
        """The field's argument `first`, where it takes one."""
        argument = definition.args.get("first")
        if argument is None:
            return None
        default = argument.default_value if isinstance(argument.default_value, int) else DEFAULT_FIRST
        for one in node.arguments or ():
            if one.name.value == "first":
                match one.value:
                    case IntValueNode(value=value):
                        return First(path, int(value))
                    case VariableNode(name=name):
                        return First(path, self._defaults.get(name.value, default), name.value)
                    case NullValueNode():
                        return First(path, default)
        return First(path, default)


def _is_list(definition: GraphQLField) -> bool:
    type_ = definition.type
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)
