"""The program that ``launch`` runs in each of its processes."""

import pickle
import sys
from pathlib import Path

from course_utils.errors import CourseError


def main() -> None:
    """Make the call pickled in the folder ``sys.argv[1]``, and write its result or its CourseError there."""
    import torch
    from accelerate import PartialState  # type: ignore[import-untyped]

    folder, state = Path(sys.argv[1]), PartialState(cpu=not torch.cuda.is_available())
    try:
        function, arguments = pickle.loads((folder / "call").read_bytes())
        result = function(*arguments)
    except CourseError as error:
        (folder / "result").write_bytes(pickle.dumps(error))
        sys.exit(1)
    if state.is_main_process:
        (folder / "result").write_bytes(pickle.dumps(result))
    state.destroy_process_group()


if __name__ == "__main__":
    main()
