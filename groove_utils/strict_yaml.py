"""Strict YAML loading, for files written by hand."""

from __future__ import annotations

import re

import yaml

__all__ = ["StrictLoader"]

BOOL = "tag:yaml.org,2002:bool"


class StrictLoader(yaml.SafeLoader):
    """YAML loader without duplicate keys and aliases; only true and false are booleans."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, regexp) for tag, regexp in resolvers if tag != BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        """Reject aliases, which can make a short file expand without limit."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            fault = f"the alias *{event.anchor}: write out what it stands for"
            raise yaml.composer.ComposerError(None, None, fault, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Reject a repeated key; plain YAML would silently keep the last value."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for k, (key, _) in enumerate(node.value):
            if keys[k] in keys[:k]:
                fault = f"the key {keys[k]!r} twice: delete one of them"
                raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
        return super().construct_mapping(node, deep)


StrictLoader.add_implicit_resolver(
    BOOL, re.compile("true|True|TRUE|false|False|FALSE"), list("tTfF")
)
