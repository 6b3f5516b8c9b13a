"""Sections of the report that some tasks have and others have not. One file each, and a template of the same name."""

from superfine.names import NameTable

SECTIONS = NameTable(
    "section",
    {
        "classes": "superfine.report.sections.classes:classes",
        "confidence": "superfine.report.sections.confidence:confidence",
        "confusion": "superfine.report.sections.confusion:confusion",
        "cooccurrence": "superfine.report.sections.cooccurrence:cooccurrence",
        "decisions": "superfine.report.sections.decisions:decisions",
        "entities": "superfine.report.sections.entities:entities",
        "extracts": "superfine.report.sections.extracts:extracts",
        "learning": "superfine.report.sections.learning:learning",
        "more_rows": "superfine.report.sections.more_rows:more_rows",
        "numbers": "superfine.report.sections.numbers:numbers",
        "sizes": "superfine.report.sections.sizes:sizes",
        "slices": "superfine.report.sections.slices:slices",
        "trainings": "superfine.report.sections.trainings:trainings",
    },
)
"""A section is a function from the content of `metrics.json` to what its template shows, under the name `content`."""
