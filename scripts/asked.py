"""Find where code and pages ask for a choice: in words of the command line, in paths, between quotes."""

import re
from typing import NamedTuple


class Choice(NamedTuple):
    """A choice as code names it: in words of the command line, in paths, alone between quotes."""

    group: str
    name: str

    def asked(self, text: str) -> bool:
        """Whether a string asks for this choice alone, or for one of its keys.

        >>> [Choice("trick", "ema").asked(text) for text in ("trick=[ema]", "trick.ema.decay=1", "ema")]
        [True, True, False]
        """
        group, name = self
        return bool(re.search(rf"\b{group}(?:=\[{name}\]|[=./]{name}\b|/test_{name}\.)", text))

    def unlisted(self, text: str) -> str:
        """A text without the choice in its lists of several.

        >>> Choice("trick", "ema").unlisted("trick=[ema,l1] trick=[ema]")
        'trick=[l1] trick=[ema]'
        """
        group, name = self
        if name not in text:
            return text
        listed = re.compile(rf"(?<=\b{group}=\[){name}, ?|(?<=\b{group}=\[)([\w, ]*), ?{name}\b(?=[,\]])")
        return listed.sub(lambda found: found.group(1) or "", text)

    def subject(self, texts: list[str]) -> bool:
        """Whether strings list the choice among others and speak of it elsewhere, too.

        >>> Choice("trick", "ema").subject(["trick=[ema,l1]", "ema averages"])
        True
        """
        shorter = [self.unlisted(text) for text in texts]
        word = rf"(?<![a-zA-Z]){self.name}(?![a-zA-Z])"
        return shorter != texts and any(re.search(word, text) for text in shorter)


NONE = Choice("no", "\0")  # where a room goes, which no words of the command line name
