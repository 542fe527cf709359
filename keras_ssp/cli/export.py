"""`keras-ssp export`."""

from __future__ import annotations

import pathlib
from typing import Any

from keras_ssp import datasets
from keras_ssp.cli.flags import data_dir_flag, import_flag, new_command
from keras_ssp.datasets.own import KINDS
from keras_ssp.energy import hardware


def add(commands: Any) -> None:
    """Adds the command."""
    command = new_command(
        commands,
        "export",
        "export trained networks, to be served with what each answer costs",
        _export,
        epilog="Examples: keras-ssp export runs/mine --to saved_models/digits; "
        "keras-ssp export runs/search --to saved_models/digits "
        "--pick eco=within=3 --pick accurate=best; "
        "keras-ssp export runs/mine --to digits.onnx",
    )
    command.add_argument(
        "source",
        type=pathlib.Path,
        nargs="+",
        help="a run folder of `train` or a .keras file; or the folder of a search or "
        "of a study, or several run folders, whose frontier is exported as versions "
        "with labels",
    )
    command.add_argument(
        "--to",
        type=pathlib.Path,
        default=None,
        metavar="PATH",
        help="folder of the model's versions (the next number is taken), folder of a "
        "version (saved_models/name/1), or a file, name.tflite or name.onnx (default: "
        "saved_models/ and the name of the source)",
    )
    command.add_argument(
        "--pick",
        action="append",
        default=[],
        metavar="LABEL=WHICH",
        help="of a frontier: the label of a version, and the network: knee, best, "
        "within=POINTS, budget=ENERGY or a name; may be repeated (default: "
        "eco=within=10 knee=knee accurate=best)",
    )
    _answer_flags(command)
    _data_flags(command)
    command.add_argument(
        "--overwrite", action="store_true", help="replace a version that is there"
    )


def _answer_flags(command: Any) -> None:
    command.add_argument(
        "--output",
        choices=("logits", "probabilities", "values"),
        default=None,
        help="what is answered (default: logits; probabilities if the network ends in "
        "a softmax)",
    )
    command.add_argument(
        "--labels",
        default=None,
        metavar="A,B,...",
        help="names of the classes, to be answered too; 'none' for none (default: "
        "those of the data set)",
    )
    command.add_argument(
        "--normalized",
        action="store_true",
        help="take normalised samples, as the network is fed them, instead of samples "
        "as they are stored",
    )


def _data_flags(command: Any) -> None:
    command.add_argument(
        "--data",
        default=None,
        help=f"data set to measure on: {', '.join(datasets.names())}, {KINDS} "
        "(default: the one of the run)",
    )
    data_dir_flag(command)
    import_flag(command)
    command.add_argument(
        "--energy-model",
        default=None,
        help=f"what operations cost: {', '.join(hardware.names())} (default: that of "
        "the run)",
    )


def _export(arguments: Any) -> None:
    sources = arguments.source
    several = len(sources) > 1 or any(
        (sources[0] / name).is_file() for name in ("search.json", "results.csv")
    )
    if several:
        _export_front(arguments)
    elif arguments.pick:
        raise ValueError(
            "`--pick` must be left out for a single network. Received: "
            f"--pick {arguments.pick[0]}, source={sources[0]}."
        )
    else:
        _export_one(arguments, sources[0])


def _export_one(arguments: Any, source: pathlib.Path) -> None:
    from keras_ssp.serving import export, read_card
    from keras_ssp.serving.card import card_beside
    from keras_ssp.training import load_run

    run = load_run(source, data=arguments.data, data_dir=arguments.data_dir)
    config = run.config
    path = export(
        run.model,
        arguments.to or pathlib.Path("saved_models") / source.stem,
        output=arguments.output,
        labels=_labels(arguments.labels, run.data.labels),
        preprocessing=None if arguments.normalized else run.data,
        data=run.data,
        energy_model=arguments.energy_model
        or (config.energy_model if config else "cmos45"),
        overwrite=arguments.overwrite,
        seed=config.seed if config else None,
        config=config.to_dict() if config else None,
        extra={"notes": list(run.notes)} if run.notes else None,
    )
    card = read_card(path if path.is_dir() else card_beside(path))
    energy, evaluation = card["energy"], card["evaluation"]
    print(
        f"{path}: {100 * evaluation['accuracy']:.2f} % on {evaluation['n']} samples of "
        f"'{evaluation['dataset']['name']}', "
        f"{1e9 * energy['energy_joules']:.4g} nJ per sample, "
        f"{1e9 * energy['synaptic_energy_joules']:.4g} nJ of it synaptic"
    )


def _export_front(arguments: Any) -> None:
    from keras_ssp.serving import export_front

    sources = arguments.source
    for flag in ("energy_model", "overwrite"):
        if getattr(arguments, flag):
            raise ValueError(
                f"`--{flag.replace('_', '-')}` must be left out for a frontier. "
                f"Received: {sources[0]}, whose versions each get the next number and "
                "the energy model of their training."
            )
    to = arguments.to or pathlib.Path("saved_models") / sources[0].resolve().name
    export_front(
        sources if len(sources) > 1 else sources[0],
        to,
        picks=dict(map(_pick, arguments.pick)) or None,
        data=arguments.data,
        data_dir=arguments.data_dir,
        raw=not arguments.normalized,
        labels=() if arguments.labels == "none" else _given(arguments.labels),
        output=arguments.output,
        verbose=1,
    )
    print(f"written to {to}: front.json, model_config")


def _labels(text: str | None, known: Any) -> Any:
    if text == "none":
        return None
    return known if text is None else _given(text)


def _given(text: str | None) -> list[str] | None:
    return None if text is None else [label.strip() for label in text.split(",")]


def _pick(text: str) -> tuple[str, str]:
    label, equals, which = text.partition("=")
    if not (label and equals and which):
        raise ValueError(
            "`--pick` must be LABEL=WHICH, such as eco=within=3. Received: "
            f"--pick {text}."
        )
    return label, which
