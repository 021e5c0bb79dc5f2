"""Where a data set comes from, and what became of it: written, kept, passed over, and why."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

EXAMPLES = 3  # how many examples of each reason are named


@dataclass(frozen=True)
class Source:
    """Who published a data set, where, and what they ask.

    Attributes:
        name: as people know it.
        address: exactly what is read: with the commit, the revision or the version.
        licence: as its publishers state it.
        asks: what that means for whoever uses the pictures or passes them on, in a sentence.
    """

    name: str
    address: str
    licence: str
    asks: str

    def line(self) -> str:
        """What the records' `source` field says."""
        return f"{self.name}; {self.address}; licence: {self.licence}"


@dataclass
class Skips:
    """What was passed over, counted by reason, with the first few of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, example: object = "", count: int = 1) -> None:
        """Note something that is passed over.

        Args:
            reason: in words by which it is counted.
            example: what exactly; the first few of a reason are kept.
            count: how many there are of it.
        """
        if count:
            self.counts[reason] += count
            few = self.examples.setdefault(reason, [])
            if example != "" and len(few) < EXAMPLES:
                few.append(str(example)[:160])

    def lines(self) -> list[str]:
        """A line a reason, the most frequent first."""
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        return [f"{count:,} x {reason}{self._few(reason, count)}" for reason, count in ordered]

    def _few(self, reason: str, count: int) -> str:
        few = self.examples.get(reason, [])
        more = ", ..." if few and count > len(few) else ""
        return f": {', '.join(few)}{more}" if few else ""


@dataclass(frozen=True)
class Account:
    """What `collect_pairs` did.

    Attributes:
        source: where the pairs come from.
        ids: of the whole pairs that were asked for and are there now, sorted.
        n_listed: what the source has in the countries asked for.
        n_written: pairs written now.
        n_kept: pairs kept from an earlier run.
        skips: what was passed over.
    """

    source: Source
    ids: Sequence[str]
    n_listed: int
    n_written: int
    n_kept: int
    skips: Skips

    def text(self) -> str:
        """A short account in Markdown, without times: the same for the same data."""
        lines = [
            f"# {self.source.name}",
            "",
            f"* From: {self.source.address}",
            f"* Licence: {self.source.licence}",
            f"* {self.source.asks}",
            f"* {len(self.ids):,} pairs of {self.n_listed:,} that the source lists for what was "
            "asked.",
            "",
            "## Passed over",
            "",
            *(f"* {line}" for line in self.skips.lines() or ["nothing"]),
        ]
        return "\n".join(lines) + "\n"
