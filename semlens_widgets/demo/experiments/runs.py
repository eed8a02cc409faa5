"""Runs that are done once: each leaves a file, and what has left one is not done again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def finished(
    folder: Path, runs: Mapping[str, Callable[[], pd.DataFrame]], title: str = "runs"
) -> pd.DataFrame:
    """Return the tables of all runs, one below the other; those without a file are done first.

    A file gets its name when it is whole. So a run that was interrupted, by Ctrl-C or by force, is
    done anew from its beginning, and no other.

    Parameters
    ----------
    folder
        Where the runs leave their tables, ``<name>.parquet``.
    runs
        By name, what does a run and returns its table. All that decides its outcome belongs into
        the name, or a run with other settings is taken for it.
    title
        What the bar of the progress calls them.

    Returns
    -------
    pandas.DataFrame
        In the order of `runs`, with the column run before all others.

    Raises
    ------
    ValueError
        If a finished run's file is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.parquet" for name in runs}
    missing = [name for name, file in files.items() if not file.exists()]
    progress = tqdm(missing, desc=title, initial=len(runs) - len(missing), total=len(runs))
    for name in progress:
        progress.set_postfix_str(name)
        half = folder / f"{name}.parquet.half"
        runs[name]().to_parquet(half, index=False)
        half.replace(files[name])
    read = {name: _read(file) for name, file in files.items()}
    tables = [table.assign(run=name)[["run", *table.columns]] for name, table in read.items()]
    return pd.concat(tables, ignore_index=True)


def _read(file: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The finished run {str(file)!r} cannot be read: {str(error).splitlines()[0]} Delete "
            "it, and it is done anew; the others are kept."
        ) from error
