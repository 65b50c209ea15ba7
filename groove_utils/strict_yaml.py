"""Strict YAML loader for hand-written files."""

from __future__ import annotations

import re

import yaml

__all__ = ["StrictLoader"]

BOOL = "tag:yaml.org,2002:bool"


class StrictLoader(yaml.SafeLoader):
    """YAML loader that rejects repeated keys and aliases, and reads only true/false as booleans."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, regexp) for tag, regexp in resolvers if tag != BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        """Reject aliases, which can make a short file expand without limit."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            problem = f"the alias *{event.anchor} is not allowed; write out its content"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Reject repeated keys; PyYAML would silently keep only the last value."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for k, (key, _) in enumerate(node.value):
            if keys[k] in keys[:k]:
                problem = f"the key {keys[k]!r} occurs twice; delete one of the two"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


StrictLoader.add_implicit_resolver(
    BOOL, re.compile("true|True|TRUE|false|False|FALSE"), list("tTfF")
)
