"""A command as a list of words."""

from __future__ import annotations


def without(words: list[str], option: str) -> list[str]:
    """The words of a command less an option and its value."""
    kept, is_value = [], False
    for word in words:
        if not is_value and word.partition("=")[0] != option:
            kept.append(word)
        is_value = word == option and not is_value
    return kept
