"""A blessing for the UI: what was found, the comparisons with their intervals, and the slices."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.pages import tables

if TYPE_CHECKING:
    from spots_ml.registry.blessings import KeptBlessing
    from spots_ml.registry.gates.blessing import BlessingReport
    from spots_ml.registry.gates.contests import ComparedOnSlice


def blessing_metadata(kept: "KeptBlessing") -> dict[str, dg.MetadataValue]:
    """Show a blessing.

    Args:
        kept: The blessing.

    Returns:
        Metadata by key; without numbers where nothing could be compared.
    """
    from spots_ml.registry.blessings import against
    from spots_ml.registry.gates.blessing import BlessingReport

    blessing = kept.blessing
    told = {
        "version": dg.MetadataValue.text(blessing.version),
        "blessed": dg.MetadataValue.bool(blessing.passed),
        "beside": tables.sentences([against(blessing.champion, blessing.model_type)]),
        "found": tables.sentences([blessing.sentence]),
        "number": dg.MetadataValue.int(kept.number),
        "compared_at": dg.MetadataValue.timestamp(kept.at),
    }
    if not blessing.comparison:
        return told
    report = BlessingReport.model_validate(blessing.comparison)
    return {
        **told,
        "rows": dg.MetadataValue.int(report.n_rows),
        "agents": dg.MetadataValue.int(report.n_agents),
        "rows_left_out": dg.MetadataValue.int(report.n_rows_left_out),
        **({"comparisons": _comparisons(report), "slices": _slices(report)} if report.overall else {}),
    }


def _comparisons(report: "BlessingReport") -> dg.MetadataValue:
    return tables.markdown_table(
        ["what", "against", "number", "own", "other", "better by (95% interval)", "may be worse by", "good enough"],
        (
            [
                one.subject,
                one.against,
                one.metric,
                f"{one.own:.5f}",
                f"{one.other:.5f}",
                tables.interval(one.better_by),
                f"{one.margin:g}" if one.metric == "value" else f"{one.margin:.0%}",
                "yes" if one.passed else "NO",
            ]
            for one in report.overall
        ),
    )


def _slices(report: "BlessingReport") -> dg.MetadataValue:
    return dg.MetadataValue.table([_record(one) for one in report.slices])


def _record(one: "ComparedOnSlice") -> dg.TableRecord:
    return dg.TableRecord(
        {
            "slice": one.slice_name,
            "what": one.subject,
            "against": one.against,
            "number": one.metric,
            "n_rows": one.n_rows,
            "effective_agents": one.effective_agents,
            "better_by": tables.interval_in_line(one.better_by),
            "p_worse": "decides nothing" if one.p_worse is None else f"{one.p_worse:.3g}",
            "good_enough": one.passed,
        }
    )
