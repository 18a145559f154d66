"""Texts of messages: which language, and a template filled in. Pure.

A program may bring texts of its own, by locale and template (`settings` of the program, under `messages`):
`{"id": {"mission_completed": {"title": "…", "body": "… $mission …"}}}`. One that cannot be filled in gives way to the
shipped text: a slip in a program's settings must not hold back everyone's messages.
"""

from collections.abc import Iterator, Mapping
from string import Template
from typing import Any, Final

from push.words import Words, en
from push.words import id as indonesian

SHIPPED: Final = {words.locale: words for words in (en.WORDS, indonesian.WORDS)}
LAST_RESORT: Final = "en"
RENAMED: Final = {"in": "id"}  # what older Android calls Indonesian


def fallbacks(*locales: str | None) -> Iterator[str]:
    """Each locale, then its language alone, in the order given; English at the end. `id_ID` is `id-ID`."""
    for locale in locales:
        if locale:
            language, *rest = locale.replace("_", "-").split("-")
            language = RENAMED.get(language.lower(), language.lower())
            if rest:
                yield "-".join((language, *rest))
            yield language
    yield LAST_RESORT


def choose_words(*locales: str | None) -> Words:
    """The words of the first locale that is shipped."""
    return next(SHIPPED[locale] for locale in fallbacks(*locales) if locale in SHIPPED)


def fill(
    template: str, values: Mapping[str, str], *, words: Words, own: Mapping[str, Any] | None = None
) -> tuple[str, str]:
    """Title and body of `template`; `own` are the program's texts of this locale."""
    texts = (own or {}).get(template)
    if isinstance(texts, Mapping):
        try:
            return _fill(texts["title"], values), _fill(texts["body"], values)
        except (KeyError, ValueError, TypeError):
            pass
    title, body = words.texts[template]
    return _fill(title, values), _fill(body, values)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return Template(text).substitute(values).strip()
