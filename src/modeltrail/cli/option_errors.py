"""A value that an option gave and the contract refuses: named by its option, as it was typed, with exit code 2.

The contract speaks of members (`monitor.window.step_s: 172800`), because events come from anywhere. Whoever typed
`--step 2d` has never seen these.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from modeltrail.errors import ConfigurationError, InvalidEventError

__all__ = ["named_by_options"]

_MORE = re.compile(r" \([0-9]+ more in this event\)\Z")


@contextmanager
def named_by_options(
    options: Mapping[str, tuple[str, object]], *, where: str = "", otherwise: str = ""
) -> Iterator[None]:
    """Raise what the contract refuses in the block as a ConfigurationError that names the option.

    `options`: dotted path of a member to the option and the text that it was given (None: the value of the error is
    that text). A path stands for what lies below it, too; the longest counts. `where`: first part of the error's paths
    that is no member, such as `monitor`. `otherwise`: what to name where no option gave the value, such as a file.
    """
    try:
        yield
    except InvalidEventError as error:
        raise ConfigurationError(_sentence(error, options, where, otherwise)) from None


def _sentence(error: InvalidEventError, options: Mapping[str, tuple[str, object]], where: str, otherwise: str) -> str:
    path = error.field.removeprefix(f"{where}.").split(".")
    expected = _MORE.sub("", error.expected)
    if isinstance(error.value, str) and (of_value := f"{'.'.join(path)}.{error.value}") in options:
        path = of_value.split(".")  # what is refused is a name, as that of a column
    for length in range(len(path), 0, -1):
        found = options.get(".".join(path[:length]))
        if found is None:
            continue
        option, text = found
        below = ".".join(path[length:])
        inner = f" {below} {error.value!r}:" if below else ""
        return f"{option} {_typed(error.value if text is None else text)}:{inner} {_in_options(expected, options)}"
    return f"{otherwise}: {error}" if otherwise else str(error)


def _typed(text: object) -> str:
    return repr(text) if isinstance(text, str) else str(text)


def _in_options(expected: str, options: Mapping[str, tuple[str, object]]) -> str:
    """Return an expectation in which another member with its value (`size_s, 604800`) is the option that gave it."""
    for path, (option, text) in options.items():
        if text is None:
            continue
        member = re.escape(path.rpartition(".")[2])
        typed = f"{option} {text}".replace("\\", r"\\")
        expected = re.sub(rf"\b{member}, [0-9.e+-]*[0-9]", typed, expected)
    return expected
