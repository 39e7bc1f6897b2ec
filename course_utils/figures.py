"""The common style of the course's figures: colours, sizes and fonts. Each stage draws its own plots."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = ParamSpec("P")
R = TypeVar("R")

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#000000")
"""Okabe and Ito's colours, which colour-blind readers tell apart (jfly.uni-koeln.de/color)."""
SPLIT_COLOURS = {"train": PALETTE[0], "validation": PALETTE[6], "test": PALETTE[1]}
"""A dark, a light and a medium colour, which also differ when printed in grey."""
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "oo")
"""Bar patterns that differ when printed in grey."""

_FONTS = (
    *("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Microsoft YaHei", "PingFang SC"),
    *("Hiragino Sans", "WenQuanYi Zen Hei", "Malgun Gothic", "Apple SD Gothic Neo", "Noto Sans Devanagari"),
    *("Noto Sans Arabic", "Noto Sans Thai", "Noto Emoji", "Arial Unicode MS", "Droid Sans Fallback"),
)
"""Matplotlib's own font, and system fonts with the letters that it lacks, because names of tables may be Chinese."""
_LETTERS_PER_INCH = 9  # in the title's font, bold at 12 points
_STYLE = Path(__file__).with_suffix(".mplstyle")


def course_style(plot: Callable[P, R]) -> Callable[P, R]:
    """Decorate a plotting function: it draws in the course's style and leaves the learner's own settings unchanged."""

    @wraps(plot)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        from cycler import cycler
        from matplotlib import font_manager, pyplot

        installed = font_manager.get_font_names()
        fonts = [font for font in _FONTS if font in installed]
        # A notebook's backend turns interactive mode on at the first drawing. This call makes that happen before the
        # style context, whose end would turn interactive mode off again, so that no later figure would be shown.
        pyplot.draw_if_interactive()
        with pyplot.style.context([_STYLE, {"font.family": fonts, "axes.prop_cycle": cycler(color=PALETTE)}]):
            return plot(*args, **kwargs)

    return styled


@course_style
def new_axes(title: str, *, width: float = 7.0, height: float = 3.6) -> "Axes":
    """Create a figure of ``width`` x ``height`` inches with a wrapped title, and return its axes."""
    from textwrap import fill

    from matplotlib import pyplot

    axes: Axes
    figure, axes = pyplot.subplots(figsize=(width, height))  # 7 inches stay readable at the width of a phone
    # The figure's title and not the axes', because long labels on the left would leave the latter little room.
    figure.suptitle(fill(title, round(width * _LETTERS_PER_INCH)), x=0.01, ha="left")
    return axes


def show_logarithmic(axes: "Axes") -> None:
    """Make the y axis logarithmic with plain numbers; call it after plotting, because ticks depend on the limits."""
    from matplotlib.ticker import LogLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = LogLocator(subs=(1, 1.5, 2, 3, 4, 6) if high < 50 * low else (1, 3))
    axes.yaxis.set(major_locator=ticks, major_formatter="{x:g}", minor_formatter="")  # 0.4 and not 4 x 10^-1
