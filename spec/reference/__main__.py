"""`python -m reference [--check] [folder]`: writes the vectors, or compares what is there with what would be written."""

import argparse
import pathlib
import sys

from . import make_epochs, make_handshake, make_records, make_session
from .vectors import text


def made():
    """(file name, content) of each."""
    for suite in (1, 2, 3, 4):
        yield f"handshake-{suite}.json", make_handshake.make(suite)
    yield "records.json", make_records.make()
    yield "frames.json", make_records.make_frames()
    yield "padding.json", make_records.make_padding()
    yield "epochs.json", make_epochs.make_epochs()
    yield "resume.json", make_epochs.make_resume()
    yield "session.json", make_session.make()


def main():
    parser = argparse.ArgumentParser(prog="python -m reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file differs")
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent / "vectors" / "session")
    arguments = parser.parse_args()
    files = {name: text(content) for name, content in made()}
    differing = []
    for name, content in files.items():
        path = arguments.folder / name
        if arguments.check:
            if not path.is_file() or path.read_text(encoding="ascii") != content:
                differing.append(str(path))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="ascii")
            print(f"{len(content):8} {path}")
    if arguments.check and not differing:
        print(f"{len(files)} files of vectors are as the reference makes them")
    for name in differing:
        print(f"differs: {name}", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
