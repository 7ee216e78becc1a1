"""Read a Dockerfile as stages of instructions. Enough of the language for the ones of this repository."""

import json
import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its keyword, its flags, and the words after them with line breaks taken out."""

    keyword: str
    flags: dict[str, list[str]]
    text: str

    @property
    def words(self) -> list[str]:
        """The words; those of the exec form when it has one."""
        return self.exec_form or self.text.split()

    @property
    def exec_form(self) -> list[str]:
        """The words of the exec form, empty for the shell form."""
        _, bracket, rest = self.text.partition("[")
        if not bracket or self.text.split("[")[0].strip() not in {"", "CMD"}:
            return []
        return [str(word) for word in json.loads(f"[{rest}")]


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands between two FROM lines."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, keyword: str) -> list[Instruction]:
        """The instructions with this keyword, in order."""
        return [each for each in self.instructions if each.keyword == keyword]

    def one(self, keyword: str) -> Instruction:
        """The only instruction with this keyword."""
        (found,) = self.all(keyword)
        return found


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The arguments before the first FROM with their defaults, and the stages."""

    arguments: dict[str, str]
    stages: list[Stage]

    @property
    def final(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]


_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")


def parse(text: str) -> Dockerfile:
    """Parse a Dockerfile."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in joined.splitlines():
        instruction = _instruction(line)
        if instruction.keyword == "FROM":
            base, *name = instruction.text.split()
            stages.append(Stage(base, name[-1] if name else ""))
        elif stages:
            stages[-1].instructions.append(instruction)
        else:
            name_, _, default = instruction.text.partition("=")
            arguments[name_] = default
    return Dockerfile(arguments, stages)


def _instruction(line: str) -> Instruction:
    keyword, _, rest = line.strip().partition(" ")
    flags: dict[str, list[str]] = {}
    while flag := _FLAG.match(rest):
        flags.setdefault(flag[1], []).append(flag[2] or "")
        rest = rest[flag.end() :]
    return Instruction(keyword.upper(), flags, rest.strip())
