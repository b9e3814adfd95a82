"""A command line that imports a command when it is asked for, and shows its help without any."""

from collections.abc import Mapping
from importlib import import_module
from typing import ClassVar

import click


class LateGroup(click.Group):
    """Commands by name: their module in ``package``, and their line in the help.

    Both programs take one to two seconds to import: no help text, and few commands, need all of it.
    """

    package: ClassVar[str]
    late: ClassVar[Mapping[str, tuple[str, str]]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(self.late)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self.late:
            return None
        command: click.Command = getattr(import_module(f"{self.package}.{self.late[cmd_name][0]}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.late[name][1]) for name in self.list_commands(ctx)])
