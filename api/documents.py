"""Documents: parsed, limited, validated and measured once, and held for whoever sends the same text again.

The limits stand before validation, which is quadratic in the worst case: a document that is too large is refused for
that alone. Each fragment is measured once, however often it is spread, and cycles end where they close, so that the
time to refuse is linear in the document.

What remains to be done per request is to compare the (type, field) pairs that the operation reaches with the caller's
role (`api.access`), and to price it with the request's own variables: a list costs as often as `first` says.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    ListValueNode,
    Node,
    NoSchemaIntrospectionCustomRule,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.language import InlineFragmentNode
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from api.pricing import Operation, measure

MOST_CHARACTERS: Final = 32_768
MOST_TOKENS: Final = 6_000
DEEPEST: Final = 14
MOST_FIELDS: Final = 1_000
"""Fields with every spread of a fragment counted in full."""
MOST_ALIASES: Final = 100
MOST_ALIKE: Final = 20
"""Fields that one place of the answer is made of, in all selection sets that merge there."""
MOST_FRAGMENTS: Final = 50
MOST_STEPS: Final = 20_000
"""Fields and fragments that are walked through to count those."""
MOST_DIRECTIVES: Final = 4
"""On one field or fragment."""
MOST_ITEMS: Final = 1_000
"""Of a list that is written into the document."""
HELD_CHARACTERS: Final = 1_000_000
"""Text of the documents that are held; their parsed form is some fifty times that."""

Place: TypeAlias = tuple[str, ...]
"""Where a field stands in the answer: response names from the top."""


def refusal(code: str, message: str, node: Any = None) -> GraphQLError:
    """An error of ours, with its code."""
    return GraphQLError(message, nodes=node, extensions={"code": code})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document: what is wrong with it, or its operations by name."""

    document: DocumentNode
    errors: tuple[GraphQLError, ...]
    operations: Mapping[str | None, Operation] = field(default_factory=dict)


class Documents:
    """The documents of one schema."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool) -> None:
        self._schema = schema
        self._hints = introspection
        rules = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
        self._rules = rules if introspection else (*rules, NoSchemaIntrospectionCustomRule)
        self._held: OrderedDict[str, Prepared] = OrderedDict()
        self._characters = 0

    def prepare(self, text: str) -> Prepared:
        """The document of this text. Raises `GraphQLError` where it has none."""
        found = self._held.get(text)
        if found is None:
            found = self._prepare(text)
            self._hold(text, found)
        self._held.move_to_end(text)
        return found

    def _prepare(self, text: str) -> Prepared:
        if len(text) > MOST_CHARACTERS:
            raise refusal(
                "DOCUMENT_TOO_LARGE",
                f"A document has {MOST_CHARACTERS:,} characters at most: send what varies as variables.",
            )
        document = parse(text, max_tokens=MOST_TOKENS)
        if errors := Limits(document).errors():
            return Prepared(document, tuple(errors))
        if found := validate(
            self._schema, document, self._rules, max_errors=20, hide_suggestions=not self._hints
        ):
            return Prepared(document, tuple(_placed(document, error) for error in found))
        return Prepared(document, (), measure(self._schema, document))

    def _hold(self, text: str, prepared: Prepared) -> None:
        self._held[text] = prepared
        self._characters += len(text)
        while self._characters > HELD_CHARACTERS:
            oldest, _ = self._held.popitem(last=False)
            self._characters -= len(oldest)


@dataclass(slots=True)
class Size:
    """How large a selection set is."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0

    def put(self, under: "Size", *, deeper: bool) -> None:
        """Add what stands in it, one level deeper or beside it."""
        self.depth = max(self.depth, under.depth + deeper)
        self.fields += under.fields
        self.aliases += under.aliases


class Limits:
    """Measures a document before anything else looks at it."""

    def __init__(self, document: DocumentNode) -> None:
        self._document = document
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._sizes: dict[str, Size] = {}
        self._errors: list[GraphQLError] = []

    def errors(self) -> list[GraphQLError]:
        """What is too large, for each operation."""
        fragments = sum(isinstance(node, FragmentDefinitionNode) for node in self._document.definitions)
        if fragments > MOST_FRAGMENTS:
            message = f"The document has {fragments} fragments: {MOST_FRAGMENTS} at most."
            return [refusal("DOCUMENT_TOO_LARGE", message)]
        for node in self._document.definitions:
            if isinstance(node, FragmentDefinitionNode):
                self._of_fragment(node.name.value)
            elif isinstance(node, OperationDefinitionNode):
                self._check(node, self._of(node.selection_set))
        if not self._errors and (overlap := self._overlap()) is not None:
            self._errors.append(overlap)
        return self._errors[:10]

    def _overlap(self) -> GraphQLError | None:
        """A place that too many fields merge at: validation compares each of them with each.

        Operations and fragments are walked with all that they spread, which merges with what stands beside it. The
        steps are counted, so that this ends however often fragments are spread.
        """
        steps = 0
        for root in self._document.definitions:
            if not isinstance(root, FragmentDefinitionNode | OperationDefinitionNode):
                continue
            alike: Counter[Place] = Counter()
            for place, node in self._walk(root):
                steps += 1
                if steps > MOST_STEPS:
                    message = "The fragments of the document are spread too often."
                    return refusal("OPERATION_TOO_LARGE", message, root)
                if place is not None:
                    alike[place] += 1
                    if alike[place] > MOST_ALIKE:
                        message = f"{place[-1]} stands here more than {MOST_ALIKE} times: once will do."
                        return refusal("OPERATION_TOO_LARGE", message, node)
        return None

    def _walk(
        self, root: FragmentDefinitionNode | OperationDefinitionNode
    ) -> Iterator[tuple[Place | None, Node]]:
        """Each field with its place in the answer, and each fragment, which has none; cycles end where they close."""
        within = frozenset({root.name.value} if isinstance(root, FragmentDefinitionNode) else ())
        left: list[tuple[SelectionSetNode, Place, frozenset[str]]] = [(root.selection_set, (), within)]
        while left:
            selections, above, within = left.pop()
            for node in selections.selections:
                if isinstance(node, FieldNode):
                    place = (*above, (node.alias or node.name).value)
                    yield place, node
                    if node.selection_set is not None:
                        left.append((node.selection_set, place, within))
                    continue
                yield None, node
                if isinstance(node, InlineFragmentNode):
                    left.append((node.selection_set, above, within))
                elif (name := node.name.value) not in within and name in self._fragments:  # type: ignore[attr-defined]
                    left.append((self._fragments[name].selection_set, above, within | {name}))

    def _check(self, node: OperationDefinitionNode, size: Size) -> None:
        self._count_directives(node)
        for name, value, most in (
            ("deep", size.depth, DEEPEST),
            ("fields", size.fields, MOST_FIELDS),
            ("aliases", size.aliases, MOST_ALIASES),
        ):
            if value > most:
                message = (
                    f"The operation is {value} levels deep: {most} at most."
                    if name == "deep"
                    else f"The operation has {value:,} {name}: {most:,} at most."
                )
                self._errors.append(refusal("OPERATION_TOO_LARGE", message, node))

    def _of_fragment(self, name: str) -> Size:
        if name not in self._sizes:
            self._sizes[name] = Size()  # what a cycle finds where it closes
            node = self._fragments.get(name)
            if node is not None:
                self._count_directives(node)
                self._sizes[name] = self._of(node.selection_set)
        return self._sizes[name]

    def _of(self, selections: SelectionSetNode) -> Size:
        size = Size()
        for node in selections.selections:
            self._count_directives(node)
            if isinstance(node, FieldNode):
                size.fields += 1
                size.aliases += node.alias is not None
                for argument in node.arguments or ():
                    self._count_items(argument.value)
                if node.selection_set is None:
                    size.depth = max(size.depth, 1)
                elif not node.name.value.startswith("__"):
                    size.put(self._of(node.selection_set), deeper=True)
            elif isinstance(node, InlineFragmentNode):
                size.put(self._of(node.selection_set), deeper=False)
            else:
                size.put(self._of_fragment(node.name.value), deeper=False)  # type: ignore[attr-defined]
        return size

    def _count_directives(self, node: Any) -> None:
        if len(node.directives or ()) > MOST_DIRECTIVES:
            message = f"There are {len(node.directives)} directives at one place: {MOST_DIRECTIVES} at most."
            self._errors.append(refusal("TOO_MANY_DIRECTIVES", message, node))

    def _count_items(self, value: ValueNode) -> None:
        if isinstance(value, ListValueNode):
            if len(value.values) > MOST_ITEMS:
                message = (
                    f"The list has {len(value.values):,} items: {MOST_ITEMS:,} at most, or send a variable."
                )
                self._errors.append(refusal("LIST_TOO_LONG", message, value))
            for item in value.values:
                self._count_items(item)
        elif isinstance(value, ObjectValueNode):
            for one in value.fields:
                self._count_items(one.value)


def _placed(document: DocumentNode, error: GraphQLError) -> GraphQLError:
    """An error over a malformed literal, with the path of the input."""
    code = (error.extensions or {}).get("code")
    if code == "MALFORMED" and error.nodes:
        arguments = _Arguments(error.nodes[0])
        visit(document, arguments)
        error.extensions = {"code": code, "field": arguments.path}
    return error


class _Arguments(Visitor):
    """Finds the path of a literal: the argument that it stands in, and its place there."""

    def __init__(self, literal: Node) -> None:
        super().__init__()
        self.path: list[str] = []
        self._literal = literal

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        found = self._find(node.value, [node.name.value])
        if found is not None:
            self.path = found

    def _find(self, value: ValueNode, path: list[str]) -> list[str] | None:
        if value is self._literal:
            return path
        parts: list[tuple[str, ValueNode]] = []
        if isinstance(value, ObjectValueNode):
            parts = [(one.name.value, one.value) for one in value.fields]
        elif isinstance(value, ListValueNode):
            parts = [(str(index), one) for index, one in enumerate(value.values)]
        return next((found for name, one in parts if (found := self._find(one, [*path, name]))), None)
