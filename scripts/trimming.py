"""Leave out of pages and comments what names things that are gone.

In pages of documentation these are table rows, list items and commands; in the comments of configs, clauses.
"""

import re
from collections.abc import Iterable, Iterator

FENCES = {"```": "tree", "```bash": "command", "```sh": "command"}  # all others hold a file
LINK = re.compile(r"(, )?\[[^]]*\]\(([^)]*)\)")
PROSE = re.compile(r"\[([^]]*)\]\(([^)]*)\)")  # a link whose words stay
ITEM = re.compile(r"( *)(?:[-*]|\d+\.) ")


def trimmed(path: str, text: str, gone: re.Pattern[str]) -> str:
    """A page of documentation, or a config with its comments, without what names things that are gone."""
    if path.endswith(".md") and path.startswith(("docs/", "README", "CONTRIBUTING")):
        return page(text, gone)
    return comments(text, gone) if path.startswith("configs/") else text


def mentions(gone: Iterable[str], said: Iterable[str], room: str) -> re.Pattern[str]:
    """What a line says that names something that is gone.

    Args:
        gone: Paths of files.
        said: Commands, as they are typed: `imagelab check`, `make check`.
        room: The room or the choice that they belong to.

    >>> bool(mentions(["docs/howto/check.md"], ["imagelab check"], "checks").search("run `imagelab check`"))
    True
    """
    names = [rf"\b{command}\b" for command in said]
    names += [f"`{command.partition(' ')[2]}`" for command in said]
    paths = "|".join(re.escape(name) for path in gone for name in _names(path))
    names += [rf"(?<![\w-])(?:{paths})"] if paths else []
    if "/" in room:
        group, _, choice = room.partition("/")
        names += [rf"\b{group}=[\w,[\]]*\b{choice}\b", rf"\b{group}\.{choice}\."]
    else:
        names += [rf"(?<!\w){room}/", rf"\b{room}="]
    return re.compile("|".join(names))


def _names(path: str) -> Iterator[str]:
    yield path
    yield path.removeprefix("src/imagelab/").removeprefix("docs/").removeprefix("howto/")
    if path.startswith("benchmarks/"):
        yield path.removesuffix(".py").replace("/", ".")


def page(text: str, gone: re.Pattern[str]) -> str:
    r"""A page without the rows, list items and commands that name what is gone.

    >>> page("Run:\n\n- `imagelab check`,\n  now\n- it\n", re.compile("imagelab check"))
    'Run:\n\n- it\n'
    """
    text = "".join(_left(kind, part, gone) for kind, part in _parts(text.splitlines(keepends=True)))
    text = PROSE.sub(lambda found: found.group(1) if gone.search(found.group(2)) else found.group(), text)
    text = re.sub(r"^```\w*\n```\n\n?", "", text, flags=re.MULTILINE)
    text = re.sub(r"^\|.*\|\n\|[-|: ]+\|\n(?!\|)", "", text, flags=re.MULTILINE)
    return re.sub(r"^## .*\n\n+(?=## |\Z)", "", text, flags=re.MULTILINE)


def comments(text: str, gone: re.Pattern[str]) -> str:
    r"""YAML whose comments say nothing of what is gone, clause by clause; an example command goes as a whole.

    >>> comments("a: 1 # most; see `inspect`\n", re.compile("`inspect`"))
    'a: 1 # most\n'
    >>> comments("# Huber.\n# imagelab train task=regress\na: 1\n", re.compile("task=regress"))
    '# Huber.\na: 1\n'
    """
    text = re.sub(
        r"(?m)^# +imagelab .*\n", lambda found: "" if gone.search(found.group()) else found.group(), text
    )
    return re.sub(r"(?m)(?<=# ).*", lambda found: _clauses(found.group(), gone), text)


def _clauses(comment: str, gone: re.Pattern[str]) -> str:
    first, *others = comment.split("; ")
    return "; ".join([first, *(clause for clause in others if not gone.search(clause))])


def _left(kind: str, part: str, gone: re.Pattern[str]) -> str:
    if kind == "tree":  # such as `checks/ inspection/`, whose other names stay
        shorter = re.sub(rf"(?:{gone.pattern}) ?", "", part)
        return shorter if shorter.strip() else ""
    if kind in ("row", "item") and len(LINK.findall(part)) > 1:  # the other links stay
        part = LINK.sub(lambda found: "" if gone.search(found.group(2)) else found.group(), part)
        part = re.sub(r"(?<=\|) , ", " ", part)
    return "" if kind in ("row", "item", "command") and gone.search(part) else part


def _parts(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The lines of a page and what each is; those of a list item as one."""
    fence, item, indent = "", "", 0
    for line in lines:
        starts = not fence and ITEM.match(line)
        if item and (starts or not line.strip() or len(line) - len(line.lstrip()) <= indent):
            yield "item", item
            item = ""
        if starts:
            item, indent = line, len(starts.group(1))
        elif item:
            item += line
        elif line.lstrip().startswith("```"):
            fence = "" if fence else FENCES.get(line.strip(), "file")
            yield "fence", line
        else:
            yield fence or ("row" if line.startswith("|") else "text"), line
    if item:
        yield "item", item
