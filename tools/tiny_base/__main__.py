"""Make ``data/tiny_base`` again: ``python -m tools.tiny_base --output data/tiny_base``."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from tools.tiny_base.pretrain import Recipe, pretrain


def main(
    output: Annotated[Path, typer.Option(help="Folder for the model.")] = Path("data/tiny_base"),
    n_tokens: Annotated[int, typer.Option(help="Training tokens.")] = Recipe.n_tokens,
    seed: Annotated[int, typer.Option(help="Seed of text, weights and order.")] = Recipe.seed,
) -> None:
    """Pretrain the tiny base model; the defaults are what the repository ships."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pretrain(Recipe(seed=seed, n_tokens=n_tokens), output)


if __name__ == "__main__":
    typer.run(main)
