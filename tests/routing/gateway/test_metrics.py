"""Figures: well-formed, bounded, as the guide says, and what dashboard and alerts ask for."""

from __future__ import annotations

import json
import re

import yaml
from prometheus_client.parser import text_string_to_metric_families

from config.places import BASE_DIR
from tests.routing.gateway.conftest import BODY, Client
from tests.routing.gateway.scripted import answer, stream

GUIDE = (BASE_DIR / "docs/guides/observe.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(unsprawl_gateway_[a-z_]+)` \| [^|]+ \|([^|]*)\|", GUIDE, re.M))
ADDED = {"le", "quantile"}


def families(port):
    got = Client(port).ask("GET", "/metrics")
    assert got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = got.body.decode()
    assert text.endswith("\n")
    return {family.name: family for family in text_string_to_metric_families(text)}


def name_of(family):
    return f"{family.name}_total" if family.type == "counter" else family.name


def value(port, name, **labels):
    for family in families(port).values():
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return 0.0


def test_every_figure_is_well_formed_and_has_its_row(agent, vendor):
    agent.chat()
    vendor.script = stream()
    agent.stream()
    found = families(agent.port)
    ours = [one for one in found.values() if not one.name.startswith("unsprawl_gateway_process_")]
    assert len(found) > len(ours), "the process's own figures are missing"
    for family in ours:
        assert family.documentation
        assert family.type in {"counter", "gauge", "histogram"}
        told = set(re.findall(r"`([a-z]+)`", ROWS[name_of(family)]))
        for sample in family.samples:
            assert sample.labels.keys() - ADDED <= told, family.name
    assert ROWS.keys() - {name_of(one) for one in ours} == {"unsprawl_gateway_spans"}


def test_dashboard_and_alerts_ask_for_figures_that_there_are():
    dashboard = (BASE_DIR / "deploy/grafana-dashboard.json").read_text(encoding="utf-8")
    alerts = (BASE_DIR / "deploy/prometheus-alerts.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"unsprawl_gateway_[a-z_]+", dashboard + alerts))
    known = {*ROWS, *(f"{name}_bucket" for name in ROWS)}
    assert {name for name in asked if "_process_" not in name} - known == set()
    titles = [panel["title"] for panel in json.loads(dashboard)["panels"]]
    assert len(set(titles)) == len(titles) == 12
    rules = yaml.safe_load(alerts)["groups"][0]["rules"]
    assert all(rule["annotations"]["summary"] and rule["expr"] for rule in rules)


def test_a_call_counts_once_and_its_overhead_is_less_than_its_time(agent, vendor):
    before = value(agent.port, "unsprawl_gateway_overhead_seconds_count")
    agent.chat()
    assert value(agent.port, "unsprawl_gateway_overhead_seconds_count") == before + 1
    overhead = value(agent.port, "unsprawl_gateway_overhead_seconds_sum")
    assert (
        0 < overhead < value(agent.port, "unsprawl_gateway_request_seconds_sum", operation="chat")
    )
    named = {"vendor": agent.vendor_id.replace("_", "-"), "model": "vendor-model-1"}
    assert value(agent.port, "unsprawl_gateway_attempts_total", status="ok", **named) == 1
    assert value(agent.port, "unsprawl_gateway_first_byte_seconds_count", **named) == 1
    assert value(agent.port, "unsprawl_gateway_cost_micros_total", **named) == 15


def test_what_a_vendor_says_of_an_error_is_no_label(agent, vendor):
    for number in range(3):
        vendor.script = answer({"error": {"code": f"as-you-like-it-{number}"}}, 400)
        agent.chat()
    text = Client(agent.port).ask("GET", "/metrics").body.decode()
    assert "as-you-like-it" not in text
    assert 'error="vendor_error",operation="chat",status="400"' in text


def test_what_a_client_says_is_no_label(agent, vendor):
    for number in range(3):
        agent.ask("GET", f"/v1/nothing-{number}")
        agent.ask("GET", f"/v1/models/nobody-{number}")
        agent.chat(BODY | {"model": f"route-nobody-{number}"})
    text = Client(agent.port).ask("GET", "/metrics").body.decode()
    assert "nobody" not in text
    assert "nothing" not in text
    assert agent.row.public_id not in text
