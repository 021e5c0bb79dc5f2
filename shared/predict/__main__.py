"""Where was this photo taken? `python -m shared.predict PHOTO ...`."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.processing.decode import ImageRefusedError

if TYPE_CHECKING:
    from shared.predict.answers import Answers

EXAMPLES = """\
examples:
  # a photo, by the best model trained on the demo world (a country and an area, no exact point)
  python -m shared.predict photo.jpg --checkpoint demo

  # all photos of a folder, as a table and as a map that opens without network
  python -m shared.predict holiday/ --checkpoint demo --out answers.csv --out map.html

  # four views of one place: one answer
  python -m shared.predict north.jpg east.jpg south.jpg west.jpg --views --checkpoint demo

  # each folder holds the views of one place
  python -m shared.predict places/a places/b --views-in-folders --checkpoint demo

  # a region model from its folder, wider areas, JSON on the screen
  python -m shared.predict photo.jpg --checkpoint runs/best --level 0.95 --print json

  # an exact point as well: a choice, because it looks surer than it is
  python -m shared.predict photo.jpg --checkpoint demo --pin

  # for the browser extension (4-evaluation/extension): answer on 127.0.0.1 until Control-C
  python -m shared.predict --serve --checkpoint demo

JPEG, PNG and WebP are read: grey, 16 bits, CMYK and transparent ones too. EXIF orientation is
applied; nothing else of a photo's metadata is read, and no position in it is ever used. What is
corrupt, animated, too large or too small is refused by name; the other photos are still answered.
Exit status: 0 all answered, 1 some photos refused, 2 the request makes no sense."""
OK, SOME_REFUSED, USAGE = 0, 1, 2
PORT = 47815  # of the service


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except ImageRefusedError as error:
        print(f"error: {options.photos[0]}: {error}", file=sys.stderr)  # noqa: T201
        return SOME_REFUSED
    except (FileNotFoundError, ValueError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return USAGE


def parser() -> argparse.ArgumentParser:
    """The options, with examples."""
    found = argparse.ArgumentParser(
        prog="python -m shared.predict",
        description="Say where photos were taken: a country and an area, with how sure that is.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add("photos", nargs="*", metavar="PHOTO", help="a photo, or a folder of photos")
    add("--checkpoint", default="demo", metavar="NAME_OR_FOLDER", help=_CHECKPOINT)
    add("--task", default="", choices=_TASKS, help=_TASK)
    group = found.add_mutually_exclusive_group()
    group.add_argument("--views", action="store_true", help="all photos show one place")
    group.add_argument(
        "--views-in-folders", action="store_true", help="each folder given shows one place"
    )
    add("--pooling", default="log", choices=["log", "mean"], help="how views become one answer")
    add("--top", type=int, default=5, metavar="N", help="countries and regions named (default: 5)")
    add("--level", type=float, default=0.9, metavar="SHARE", help=_LEVEL)
    add("--pin", action="store_true", help="also give an exact point; off by default")
    add("--out", action="append", default=[], type=Path, metavar="FILE", help=_OUT)
    add("--print", dest="shown", default="text", choices=["text", *_PRINTED], help=_PRINT)
    add("--batch-size", type=int, default=64, metavar="N", help="photos at a time (default: 64)")
    add("--serve", action="store_true", help=_SERVE)
    add("--port", type=int, default=PORT, metavar="N", help=f"of --serve (default: {PORT})")
    return found


_CHECKPOINT = "a checkpoint's folder, or a data set's name for its best model (default: demo)"
_TASKS = ["", "country", "region", "coordinates", "grid", "city_clip"]
_TASK = "which of a data set's models; by default the first that there is"
_LEVEL = "share of the probability that the area holds (default: 0.9)"
_OUT = "write the answers: .json, .csv, .geojson or .html (a map); may be given several times"
_SERVE = "answer the browser extension on 127.0.0.1, instead of photos"
_PRINTED = ["json", "csv", "geojson", "nothing"]
_PRINT = "what is printed (default: text)"


def _run(options: argparse.Namespace) -> int:
    from shared.predict.formats import FORMATS, as_text, write_answers  # torch takes seconds
    from shared.predict.photos import name_photos
    from shared.predict.predictor import Predictor

    wrong = [path.name for path in options.out if path.suffix.lower().lstrip(".") not in FORMATS]
    if wrong:
        msg = f"--out: expected files of {', '.join(FORMATS)}, but got {', '.join(wrong)}"
        raise ValueError(msg)
    if options.serve == bool(options.photos):
        msg = "Expected photos to look at, or --serve without photos"
        raise ValueError(msg)
    predictor = Predictor.load(options.checkpoint, options.task)
    if options.serve:
        from shared.predict.service import run

        run(predictor, print, options.port)
        return OK
    paths = [Path(photo) for photo in options.photos]
    images: Any = paths[0] if len(paths) == 1 else paths
    if options.views_in_folders:
        images = [[p.source for p in name_photos(path)] for path in paths]
    answers = predictor.predict(
        images,
        views=options.views,
        top=options.top,
        level=options.level,
        pin=options.pin,
        pooling=options.pooling,
        batch_size=options.batch_size,
    )
    if options.shown == "text":
        _print_text(answers)
    elif options.shown != "nothing":
        sys.stdout.write(as_text(answers, options.shown))
    for path in options.out:
        write_answers(answers, path)
        print(f"written: {path}", file=sys.stderr)  # noqa: T201
    return SOME_REFUSED if answers.refused else OK


def _print_text(answers: "Answers") -> None:
    for answer in answers:
        print(f"{answer.name}: {answer.text()}")  # noqa: T201
        others = [f"{g.name} {100 * g.probability:.1f} %" for g in answer.countries]
        if answer.area is not None:
            print(f"  countries: {', '.join(others)}")  # noqa: T201
        if answer.regions:
            regions = [f"{g.name} {100 * g.probability:.1f} %" for g in answer.regions]
            print(f"  regions: {', '.join(regions)}")  # noqa: T201
    for name, why in answers.refused.items():
        print(f"{name}: not used: {why}")  # noqa: T201
    for caution in answers.cautions:
        print(f"note: {caution}")  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
