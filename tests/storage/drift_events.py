"""Events of models and checks with values that are hard to carry over, and what the typed tables should say of them."""

from datetime import datetime, timedelta

from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.moment import parse_moment

SHA = "0123456789abcdef" * 4
CHAIN = "cluster/modeltrail.predictions/0/0-0"


def _some(v, make, most=3):
    return [make() for _ in range(v.random.randrange(most))]


def _without(data):
    """Leave out what is None, at all depths of parts."""
    if isinstance(data, dict):
        return {name: _without(part) for name, part in data.items() if part is not None}
    return [_without(part) for part in data] if isinstance(data, list) else data


def _small(v):
    return v.random.choice([0, 1, v.random.randrange(2**40)])


def _seqs(v):
    return {CHAIN: v.count(), v.id(): 0}


def _segment(v):
    return {"by": v.id(), "value": v.text()}


def _of_baseline(v, name):
    missing, counts = _small(v), [_small(v) + 1 for _ in range(v.random.randrange(2, 5))]
    field = {
        "name": name, "role": "feature", "kind": v.random.choice(["numeric", "categorical"]), "missing": missing,
        "counts": counts, "phi": v.maybe(lambda: 1 + v.share()), "tolerance": v.maybe(v.share), "learned": v.maybe(v.boolean),
    }  # fmt: skip
    if field["kind"] == "categorical":
        mistyped = 0
        field["categories"] = v.random.sample(["", "a", "é漢🙂", 'q"', "\n", "1", "null"], len(counts))
    else:
        mistyped = _small(v)
        edges = sorted({v.random.gauss(0, 10**at) for at in range(len(counts) - 1)})
        field |= {
            "edges": [edge.hex() for edge in edges], "groups": [0, len(edges)], "mistyped": mistyped,
            "mean": v.maybe(v.number), "std": v.maybe(v.duration),
        }  # fmt: skip
    return field | {"n": sum(counts) + missing + mistyped}


def _good(v):
    return {
        "metric": "auc", "value": v.number(), "n": v.count(), "low": v.maybe(v.number), "high": v.maybe(v.number),
        "variance": v.maybe(v.duration), "classes": v.maybe(v.count),
    }  # fmt: skip


def _baseline(v):
    fields = [_of_baseline(v, name) for name in v.random.sample(["a", "B c", 'q"', "é"], 2)]
    members = {
        "baseline_id": v.id(), "model_id": v.id(), "model_version": v.id(), "rows": 2**63 - 1, "chunk_rows": v.maybe(lambda: 7),
        "positive_label": v.maybe(v.id), "kind": v.maybe(lambda: "binary"), "fields": fields,
        "segments": v.maybe(lambda: [_segment(v) | {"fields": fields[:1], "performance": _some(v, lambda: _good(v), 2)}]),
        "performance": v.maybe(lambda: [_good(v)]),
        "bias": v.maybe(lambda: [{"by": v.id(), "metric": "mean_score", "value": v.duration(), "n": v.count()}]),
        "source": {
            "kind": "sample", "name": v.maybe(v.text), "rows": v.count(), "since": v.maybe(v.moment), "until": v.maybe(v.moment),
            "sha256": v.maybe(lambda: SHA), "cut": v.maybe(lambda: _seqs(v)),
        },
    }  # fmt: skip
    members = _without(members)
    return members | {"sha256": BaselineRegistered.hash_of(members)}


def _window(v):
    kinds = [
        {"kind": "tumbling", "size_s": 3600},
        {"kind": "sliding", "size_s": 3600, "step_s": 600},
        {"kind": "schedule", "cron": "@daily"},
        {"kind": "schedule", "cron": "30 2 * * MON", "timezone": "Europe/Berlin"},
        {"kind": "count", "every": 10**12},
    ]
    return v.random.choice(kinds) | ({"allowed_lateness_s": 60} if v.boolean() else {})


def _limit(v):
    return {"max_drop": v.duration()} if v.boolean() else {"threshold": v.number()}


def _monitor(v):
    return _without({
        "monitor_id": v.id(), "model_id": v.id(), "model_version": v.maybe(v.id), "enabled": v.maybe(v.boolean),
        "baseline_id": v.maybe(v.id), "fields": v.maybe(v.names), "window": v.maybe(lambda: _window(v)),
        "policy": v.maybe(lambda: {
            "preset": v.maybe(lambda: "tolerant"), "fdr": v.maybe(lambda: 0.25), "delta0": v.maybe(v.duration), "d0": v.maybe(v.share),
            "raise_at": v.maybe(lambda: "shifted"), "consecutive": v.maybe(lambda: 7), "learned_tolerance": v.maybe(v.boolean),
        }),
        "thresholds": v.maybe(lambda: {"psi_warning": v.maybe(lambda: 1 / 30), "psi_critical": v.maybe(lambda: 1 / 3)}),
        "segments": v.maybe(v.names),
        "performance": v.maybe(lambda: [
            {"metric": "mape", "label_delay_s": v.maybe(lambda: 5), "min_coverage": v.maybe(v.share)} | _limit(v)
        ]),
        "bias": v.maybe(lambda: [
            {"by": v.id(), "metric": "calibration", "max_gap": v.duration(), "label_delay_s": v.maybe(lambda: 9)}
        ]),
        "silence": v.maybe(lambda: {"max_gap_s": 5} if v.boolean() else {"rate_factor": 1 + abs(v.share()) + 0.5}),
        "learn": v.maybe(lambda: {"predictions": 12345}), "late_horizon": v.maybe(lambda: 0), "max_wait_s": v.maybe(lambda: 1),
    })  # fmt: skip


def _field(v):
    field = {"missing": _small(v), "mistyped": v.maybe(lambda: _small(v)), "unseen": v.maybe(lambda: _small(v))}
    counts = _some(v, lambda: _small(v), 5)
    n = sum(counts) + sum(part or 0 for part in field.values()) if counts else v.count()
    return field | {
        "name": v.id(), "role": "score", "kind": "numeric", "segment": v.maybe(lambda: _segment(v)), "state": "shifted",
        "reason": v.maybe(v.text), "n": n, "counts": counts, "statistics": v.maybe(v.numbers), "p_values": v.maybe(v.shares),
        "scale": v.maybe(lambda: 16), "tolerance": v.maybe(v.duration),
        "top": v.maybe(lambda: _some(v, lambda: {"bin": v.text(), "reference": v.share(), "current": v.share()})),
    }  # fmt: skip


def _interval(v):
    return {
        "value": v.maybe(v.duration), "n": v.count(), "low": v.maybe(v.number), "high": v.maybe(v.number),
        "reference": v.maybe(v.number), "p_value": v.maybe(v.share), "scale": v.maybe(lambda: 4), "reason": v.maybe(v.text),
    }  # fmt: skip


def _metric(v):
    return _interval(v) | {
        "metric": "log_loss", "segment": v.maybe(lambda: _segment(v)), "state": "stable", "variance": v.maybe(v.duration),
        "reference_of": v.maybe(lambda: v.random.choice(["segment", "whole"])),
        "max_drop": v.maybe(v.duration), "threshold": v.maybe(v.number), "coverage": v.maybe(v.share),
    }  # fmt: skip


def _gap(v):
    return _interval(v) | {
        "by": v.id(), "metric": "mean_score", "state": "insufficient_data", "lowest": v.maybe(v.text),
        "highest": v.maybe(v.text), "max_gap": v.maybe(v.duration),
        "groups": v.maybe(lambda: _some(v, lambda: {"value": v.text(), "n": v.count(), "measured": v.maybe(v.number)})),
    }  # fmt: skip


def _alert(v):
    condition = {
        "kind": "bias", "name": v.maybe(v.id), "role": v.maybe(lambda: "label"), "by": v.maybe(v.id),
        "segment": v.maybe(lambda: _segment(v)),
    }  # fmt: skip
    return {"alert_id": v.id(), "condition": condition, "transition": "open"}


def _span(v):
    return {"start": v.moment(), "end": v.moment()} if v.boolean() else {"index": v.count()}


def _check(v):
    tick = v.boolean()
    status = v.random.choice(["completed", "failed", "no_baseline"])
    return _without({
        "check_id": SHA, "kind": "tick" if tick else "drift", "monitor": {"id": v.id(), "sha256": SHA},
        "baseline": v.maybe(lambda: {"id": v.id(), "sha256": SHA}), "model_id": v.id(),
        "model_version": None if tick else v.id(),
        "window": None if tick else _span(v) | {
            "after": v.maybe(lambda: _seqs(v)), "upto": v.maybe(lambda: _seqs(v)), "label_delay_s": v.maybe(v.count),
        },
        "cut": None if tick else {
            "entry": {"chain": CHAIN, "seq": v.count()}, "frontier": v.maybe(lambda: _seqs(v)),
        },
        "status": status, "state": v.maybe(lambda: "warning"), "rows": v.maybe(v.count), "duplicates": v.maybe(v.count),
        "late": v.maybe(lambda: {"counted": v.count()}), "too_late": v.maybe(v.count), "fields": v.maybe(lambda: _some(v, lambda: _field(v))),
        "new_features": v.maybe(v.ids),
        "new_segments": v.maybe(lambda: _some(v, lambda: {"by": v.id(), "value": v.id()})), "metrics": v.maybe(lambda: _some(v, lambda: _metric(v))),
        "gaps": v.maybe(lambda: _some(v, lambda: _gap(v))),
        "silence": v.maybe(lambda: {
            "condition": "slow", "last_at": v.maybe(v.moment), "gap_s": v.maybe(v.duration), "max_gap_s": v.maybe(v.duration),
            "rate": v.maybe(v.duration), "usual_rate": v.maybe(v.duration), "rate_factor": v.maybe(lambda: 1.75),
        }),
        "policy": v.maybe(lambda: {"version": "1", "fdr": 0.05, "consecutive": 2, "learned_tolerance": True}),
        "look_back": v.maybe(lambda: _some(v, lambda: {"check_id": SHA} | _span(v))), "incomplete": v.maybe(v.ids),
        "closed_by": v.maybe(lambda: "max_wait"), "supersedes": v.maybe(lambda: SHA[::-1]),
        "alerts": v.maybe(lambda: _some(v, lambda: _alert(v))), "versions": v.maybe(lambda: {v.id(): v.id()}),
        "error": v.text() if status == "failed" else v.maybe(v.text), "duration_ms": v.maybe(v.duration),
    }) | {"carry": v.free()}  # fmt: skip


DATA = {
    "models_registered": lambda v: {
        "model_id": v.id(), "name": v.id(), "version": "1.0.0-rc.1+5", "parent_model_id": v.maybe(v.id), "framework": v.maybe(v.id),
        "artifact": v.maybe(lambda: _without({"uri": v.text(), "sha256": v.maybe(lambda: SHA)})),
        "training": v.maybe(lambda: _without({
            "rows": v.maybe(v.count), "since": v.maybe(v.moment), "until": v.maybe(v.moment),
            "duration_s": v.maybe(v.duration), "notes": v.maybe(v.text),
        })),
        "metrics": v.maybe(v.numbers), "label_distribution": v.maybe(v.shares), "confidence_stats": v.maybe(v.numbers),
        "metadata": v.maybe(v.free),
    },
    "baselines": _baseline,
    "monitors": _monitor,
    "monitors_advanced": lambda v: {"model_id": v.id(), "through": v.moment()},
    "checks": _check,
}  # fmt: skip
"""Keyword arguments of the model of a type by its table; None is left out."""


def _time(text):
    return None if text is None else datetime(1970, 1, 1) + timedelta(microseconds=parse_moment(text))  # noqa: DTZ001 - as the client reads it


def _prefixed(prefix, part, names):
    part = part or dict.fromkeys(names)
    return {f"{prefix}_{name}": _time(part[name]) if name in _MOMENTS else part[name] for name in names}


_MOMENTS = ("since", "until", "start", "end", "last_at")


def _flat(part):
    """A part with its segment as two members."""
    part = dict(part)
    segment = part.pop("segment") or {"by": None, "value": None}
    return part | {f"segment_{name}": value for name, value in segment.items()}


def _lists_for_none(field):
    return field | {name: field[name] or [] for name in ("edges", "categories")}


def _registered(row):
    training, artifact = row.pop("training"), row.pop("artifact")
    return (
        row
        | {"model_version": row.pop("version")}
        | _prefixed("training", training, ("rows", "since", "until", "duration_s", "notes"))
        | _prefixed("artifact", artifact, ("uri", "sha256"))
    )


def _of_baselines(row):
    source = row.pop("source")
    row["fields"] = [_lists_for_none(field) for field in row["fields"]]
    row["segments"] = [
        segment | {"fields": [_lists_for_none(field) for field in segment["fields"]]} for segment in row["segments"]
    ]
    return row | _prefixed("source", source, ("kind", "name", "rows", "since", "until", "sha256", "cut"))


def _of_monitors(row):
    window = {"size_s": None, "step_s": None, "cron": None, "timezone": None, "every": None} | row.pop("window")
    lateness, policy, thresholds = window.pop("allowed_lateness_s"), row.pop("policy"), row.pop("thresholds")
    silence, learn = row.pop("silence"), row.pop("learn") or {"predictions": None}
    found = policy | thresholds | {"allowed_lateness_s": lateness, "learn_predictions": learn["predictions"]}
    found |= _prefixed("window", window, tuple(window))
    return row | found | _prefixed("silence", silence, ("max_gap_s", "rate_factor"))


def _of_checks(row):
    window = row.pop("window") or {
        "after": {},
        "upto": {},
        "start": None,
        "end": None,
        "index": None,
        "label_delay_s": None,
    }
    cut = row.pop("cut") or {"entry": {"chain": None, "seq": None}, "frontier": {}}
    late = row.pop("late") or {"counted": 0}
    names = ("condition", "last_at", "gap_s", "max_gap_s", "rate", "usual_rate", "rate_factor")
    row["fields"] = [_flat(field) for field in row["fields"]]
    row["metrics"] = [_flat(metric) for metric in row["metrics"]]
    row["alerts"] = [
        {"alert_id": alert["alert_id"], "transition": alert["transition"]} | _flat(alert["condition"])
        for alert in row["alerts"]
    ]
    row["look_back"] = [each | {"start": _time(each["start"]), "end": _time(each["end"])} for each in row["look_back"]]
    row["policy"] = {
        name: {True: "true", False: "false"}[part] if isinstance(part, bool) else part
        for name, part in row["policy"].items()
    }
    monitor, baseline, silence = row.pop("monitor"), row.pop("baseline"), row.pop("silence")
    return (
        row
        | _prefixed("monitor", monitor, ("id", "sha256"))
        | _prefixed("baseline", baseline, ("id", "sha256"))
        | _prefixed("silence", silence, names)
        | _prefixed("window", window, ("start", "end", "index", "after", "upto"))
        | {"label_delay_s": window["label_delay_s"], "late_counted": late["counted"]}
        | {"cut_chain": cut["entry"]["chain"], "cut_seq": cut["entry"]["seq"], "cut_frontier": cut["frontier"]}
    )  # fmt: skip


EXPECTED = {
    "models_registered": _registered,
    "baselines": _of_baselines,
    "monitors": _of_monitors,
    "monitors_advanced": lambda row: row | {"through": _time(row["through"])},
    "checks": _of_checks,
}
"""What the typed table should hold, from what the model says; by table."""
