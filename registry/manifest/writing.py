"""From a manifest to YAML that reads back as the same manifest, keys in the order of the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from registry.manifest.schema import schema
from registry.manifest.yamltext import plain_value


class _Dumper(yaml.SafeDumper):
    """Quotes every text that our reader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    try:
        style = None if isinstance(plain_value(text), str) else '"'
    except ValueError:
        style = '"'
    if "\n" in text and text == text.strip():
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _write_text)


def to_yaml(document: Mapping[str, Any]) -> str:
    """Write a manifest's document as people would: the schema's order, no aliases."""
    ordered = in_order(document, schema())
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def in_order(value: Any, rule: Mapping[str, Any]) -> Any:
    """Return a value with its keys in the order in which the schema names them."""
    rule = schema()["$defs"][rule["$ref"].rpartition("/")[2]] if "$ref" in rule else rule
    if isinstance(value, Mapping):
        known = rule.get("properties", {})
        names = [name for name in known if name in value] + sorted(set(value) - set(known))
        return {name: in_order(value[name], known.get(name, {})) for name in names}
    if isinstance(value, list):
        return [in_order(item, rule.get("items", {})) for item in value]
    return value
