"""Write the tables of docs/gallery.md anew from a real run.

    python docs/write_gallery.py [results.json]

Without a file, as `seatrial gallery --json results.json` writes it, all cases are run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluator.verdict.figures import money
from gallery.cases import CASES
from gallery.runner import run

PAGE = Path(__file__).with_name("gallery.md")
# Everything below this heading is written anew; the text above it is kept.
HEADING = "## Results"


def _usd(value: float | None) -> str:
    return "–" if value is None else money(value)


def _row(result: dict[str, Any]) -> str:
    name = result["case"]
    cells = (
        f"{name}" if result["twin_of"] else f"**{name}**",
        result["outcome"],
        result["verdict"],
        ", ".join(result["seen"]) or "–",
        _usd(result["capital_usd"]),
        "–" if result["atomic"] is None else "yes" if result["atomic"] else "no",
        _usd(result["loss_usd"]),
        f"{result['seconds']:.0f} s",
    )
    return f"| {' | '.join(cells)} |"


def _busy(results: Sequence[dict[str, Any]]) -> str:
    """Tell the processor time, which other work on the machine does not stretch."""
    seconds = sum(r.get("cpu_seconds", 0.0) for r in results)
    return f" and {seconds / 60:.0f} minutes of processor time" if seconds else ""


def results_section(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return the lines of the results: a sentence, then a row for each case."""
    count = {o: sum(r["outcome"] == o for r in results) for o in
             ("caught", "missed", "clean", "false alarm")}  # fmt: skip
    yield HEADING
    yield ""
    yield (
        f"Of {count['caught'] + count['missed']} disasters {count['caught']} were caught; of "
        f"{count['clean'] + count['false alarm']} benign twins {count['false alarm']} failed. "
        f"The run took {sum(r['seconds'] for r in results) / 60:.0f} minutes on a machine with two "
        f"cores{_busy(results)}. A disaster's name is in bold, its twins follow it."
    )
    yield ""
    yield "| case | outcome | verdict | seen | least capital, USD | atomic | loss, USD | time |"
    yield "|---|---|---|---|---|---|---|---|"
    yield from (_row(r) for r in results)


def cases_section() -> Iterator[str]:
    """Return the lines that say what each case is."""
    yield "## Cases"
    for case in CASES:
        if case.harmful:
            yield ""
            yield f"**{case.name}**: {case.title}. {_sentence(case.source)}"
            yield ""
        else:
            yield f"- {case.name}: {case.title}. {_sentence(case.source)}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def main(arguments: Sequence[str]) -> None:
    """Keep the page's introduction and write its tables anew."""
    if arguments:
        results = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    else:
        results = [asdict(r) for r in run(CASES)]
    intro = PAGE.read_text(encoding="utf-8").split(HEADING)[0].rstrip()
    lines = [*results_section(results), "", *cases_section()]
    PAGE.write_text(f"{intro}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
