"""Help texts as they were written: click would fill their lines anew, and spoil every example."""

import inspect

import click


class _Plain(click.Command):
    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        _write(self.help, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        _write(self.epilog, formatter)


class PlainCommand(_Plain):
    """A command whose help is its docstring, line by line."""


class PlainGroup(_Plain, click.Group):
    """A group of such commands."""

    command_class = PlainCommand


def _write(text: str | None, formatter: click.HelpFormatter) -> None:
    if not text:
        return
    formatter.write_paragraph()
    for line in inspect.cleandoc(text).splitlines():
        formatter.write(f"  {line}\n" if line else "\n")
