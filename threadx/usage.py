"""What click complains about, in the user's language, with where to look."""

from __future__ import annotations

import difflib

import click

from prompts import Words


def usage_line(error: click.ClickException, words: Words) -> str:
    """One line: what is wrong, and whose help tells more."""
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "threadx"
    return f"{_complaint(error, words)} {words('command.usage.see_help', command=where)}"


def _complaint(error: click.ClickException, words: Words) -> str:
    match error:
        case click.exceptions.NoSuchCommand(command_name=name, possibilities=near):
            if near:
                return words("command.usage.no_such_command_near", name=name, nearest=near[0])
            return words("command.usage.no_such_command", name=name)
        case click.NoSuchOption(option_name="--with" | "--input" as name):
            return words("command.usage.further_not_read", name=name)
        case click.NoSuchOption(option_name=name, possibilities=near):
            if near:
                return words("command.usage.no_such_option_near", name=name, nearest=near[0])
            return words("command.usage.no_such_option", name=name)
        case click.BadOptionUsage(option_name=name):
            return words("command.usage.bad_option", name=name)
        case click.MissingParameter(param=click.Option(opts=[name, *_])):
            return words("command.usage.missing", name=name)
        case click.MissingParameter(param=param):
            named = param.make_metavar(error.ctx) if param and error.ctx else "?"
            return words("command.usage.missing", name=named)
        case click.BadParameter(param=param):
            named = param.opts[0] if param else "?"
            return words("command.usage.bad_value", name=named, reason=_bad_value(error, words))
        case click.FileError(ui_filename=name):
            return words("command.usage.bad_value", name=name, reason=words("command.usage.path"))
        case click.UsageError():
            # The one complaint left without a class of its own: arguments that nobody takes.
            return words("command.usage.too_many", given=error.message.partition("(")[2].rpartition(")")[0])
        case _:
            return error.format_message()


def _bad_value(error: click.BadParameter, words: Words) -> str:
    """What would have been a good value."""
    match error.param.type if error.param else None:
        case click.Choice(choices=choices):
            listed = ", ".join(map(str, choices))
            # It names what was given in quotation marks, and nowhere else.
            given = error.message.split("'")[1] if "'" in error.message else ""
            if near := difflib.get_close_matches(given, [str(one) for one in choices], n=1):
                return words("command.usage.choice_near", choices=listed, nearest=near[0])
            return words("command.usage.choice", choices=listed)
        case click.IntRange(min=low, max=high) | click.FloatRange(min=low, max=high):
            if high is None and error.param.type.min_open:  # type: ignore[union-attr]
                return words("command.usage.more_than", low=low)
            if high is None:
                return words("command.usage.at_least", low=low)
            if low is None:
                return words("command.usage.at_most", high=high)
            return words("command.usage.range", low=low, high=high)
        case click.types.FloatParamType() | click.types.IntParamType():
            return words("command.usage.number")
        case click.types.BoolParamType():
            return words("command.usage.truth")
        case click.Path() | click.File():
            return words("command.usage.path")
        case click.DateTime(formats=formats):
            return words("command.usage.time", formats=", ".join(formats))
        case _:
            return error.message
