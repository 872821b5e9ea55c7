"""The files of a report: written whole or not at all, read back with their seal checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from evaluator.data_files import write_whole
from evaluator.errors import ConfigurationError
from evaluator.report import charts, drawing, inert
from evaluator.report.artwork import draw_charts
from evaluator.report.embed import to_embed
from evaluator.report.html import to_html
from evaluator.report.manifest import Manifest
from evaluator.report.markdown import to_markdown
from evaluator.report.model import ReportModel

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFiles:
    """Where the files of a report were written."""

    folder: Path
    markdown: Path  # report.md, for the forum
    html: Path  # report.html, one file
    json: Path  # report.json, by the schema
    manifest: Path  # manifest.json, for a replay
    embed: Path  # discord.json
    charts: tuple[Path, ...]  # PNG and SVG


def to_json(report: ReportModel) -> str:
    """Render as JSON: ASCII, so that no terminal or editor acts on what is in it."""
    return json.dumps(report.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"


def write_report(report: ReportModel, folder: Path) -> ReportFiles:
    """Write every rendering of a report into `folder`; existing files are replaced.

    Raises ConfigurationError if the folder cannot be written to.
    """
    report = report if report.content_digest else report.sealed()
    try:
        (folder / "charts").mkdir(parents=True, exist_ok=True)
        drawn: list[Path] = []
        images: dict[str, str] = {}
        svgs: dict[str, str] = {}
        named = list(charts.report_charts(report))
        artworks = draw_charts([chart for _, chart in named])
        for (name, _), art in zip(named, artworks, strict=True):
            images[name], svgs[name] = f"charts/{name}.png", art.svg
            light = drawing.to_svg(art.svg, drawing.Theme.LIGHT).encode()
            drawn.append(write_whole(folder / "charts" / f"{name}.png", art.png))
            drawn.append(write_whole(folder / "charts" / f"{name}.svg", light))
            if art.dark_png is not None:
                drawn.append(write_whole(folder / "charts" / f"{name}-dark.png", art.dark_png))
        image = "attachment://survival-dark.png" if "survival" in images else None
        embed = json.dumps(to_embed(report, image=image), indent=1) + "\n"
        manifest = json.dumps(report.reproduce.manifest.model_dump(mode="json"), indent=1) + "\n"
        return ReportFiles(
            folder=folder,
            markdown=write_whole(folder / "report.md", to_markdown(report, images=images).encode()),
            html=write_whole(folder / "report.html", to_html(report, drawn=svgs).encode()),
            json=write_whole(folder / "report.json", to_json(report).encode()),
            manifest=write_whole(folder / "manifest.json", manifest.encode()),
            embed=write_whole(folder / "discord.json", embed.encode()),
            charts=tuple(drawn),
        )
    except OSError as e:
        raise ConfigurationError(
            f"the report cannot be written to {folder} ({e.strerror}); give a folder that can be "
            "written to with --out"
        ) from e


def _read(path: Path, what: str) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_BYTES >> 20} MiB, no {what}")
        return path.read_bytes()
    except OSError as e:
        raise ConfigurationError(f"the {what} {path} cannot be read ({e.strerror})") from e


def _fault(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(p) for p in first["loc"]) or "the document"
    return inert.line(f"{where}: {first['msg']}", 300)


def parse_report(document: bytes, source: str) -> ReportModel:
    """Parse a report's JSON; `source` names it in errors. The seal is not checked.

    Raises ConfigurationError naming the first fault.
    """
    try:
        return ReportModel.model_validate_json(document)
    except ValidationError as e:
        raise ConfigurationError(
            f"{source} is not a report of schema 1.0: {_fault(e)}; give the report.json that "
            "`seatrial evaluate` wrote"
        ) from e


def read_report(path: Path) -> ReportModel:
    """Read a report's JSON, or that in a folder; see `parse_report`."""
    file = path / "report.json" if path.is_dir() else path
    return parse_report(_read(file, "report"), str(file))


def read_manifest(path: Path) -> Manifest:
    """Read a manifest (or the folder it is in).

    Raises ConfigurationError naming the first fault.
    """
    file = path / "manifest.json" if path.is_dir() else path
    try:
        return Manifest.model_validate_json(_read(file, "manifest"))
    except ValidationError as e:
        raise ConfigurationError(
            f"{file} is not a manifest: {_fault(e)}; give the manifest.json that "
            "`seatrial evaluate` wrote"
        ) from e
