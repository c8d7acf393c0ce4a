"""The papers that travel with a model: its card, what it needs, how it is put into a container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmstudio
from mmstudio.export.carried.base import carried
from mmstudio.export.description import Description
from mmstudio.export.quantized import Quantized, table_of
from mmstudio.inference.predictor import Predictor
from mmstudio.pretrained.catalogue import entry
from mmstudio.pretrained.source import is_local
from mmstudio.tasks import LABEL_SET, NUMBER
from mmstudio.training.published import published_of

SERVER = ("fastapi>=0.110", "uvicorn>=0.29", "python-multipart>=0.0.9")
TORCH = ("torch>=2.6", "safetensors>=0.4")
DOCKER = """\
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends libsndfile1 \\
    && rm -rf /var/lib/apt/lists/*
WORKDIR /model
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt {server}
COPY . .
RUN useradd --no-create-home model
USER model
EXPOSE 8000
CMD ["python", "serve.py", "--host", "0.0.0.0", "--port", "8000"]
"""


def write_papers(
    predictor: Predictor, description: Description, found: Mapping[str, Any], folder: Path,
    real_samples: bool, figures: str, quantized: Quantized | None = None,
    for_torch: bool = False,
) -> None:
    """Write README.md, requirements.txt and Dockerfile.

    Args:
        predictor: The run's.
        description: Of the exported model.
        found: What the self-test told.
        folder: Where to.
        real_samples: Whether the self-test's samples are of the data.
        figures: The run's, as Markdown.
        quantized: What weights of 8 bits cost, where they are.
        for_torch: It is torch code and safetensors, and not ONNX.
    """
    write_needs(folder, list(predictor.inputs.values()), for_torch)
    (folder / "README.md").write_text(
        card(predictor, description, found, real_samples, figures, quantized, for_torch),
        encoding="utf-8")


def write_needs(folder: Path, kinds: Sequence[str], for_torch: bool = False) -> None:
    """Write requirements.txt, and Dockerfile but for torch, of a model of these modalities."""
    needs = ["numpy>=1.26", *(TORCH if for_torch else ["onnxruntime>=1.18"])]
    for kind in dict.fromkeys(kinds):
        carrier = carried(kind)
        needs += () if carrier is None else carrier.packages
    (folder / "requirements.txt").write_text("\n".join(needs) + "\n", encoding="utf-8")
    if for_torch:
        return
    server = " ".join(f'"{one}"' for one in SERVER)
    (folder / "Dockerfile").write_text(DOCKER.format(server=server), encoding="utf-8")


def card(
    predictor: Predictor, description: Description, found: Mapping[str, Any], real_samples: bool,
    figures: str, quantized: Quantized | None = None, for_torch: bool = False,
) -> str:
    """The model card, as Markdown. Arguments as ``write_papers``."""
    schema = description.schema
    inputs = predictor.inputs
    program = "model.py" if for_torch else "predict.py"
    samples = ("eight samples of the data it was trained on" if real_samples
               else "eight made-up samples")
    parts = [
        f"# {predictor.run.name}",
        f"A model of {_list(inputs)} that answers {_list(schema['targets'])}, exported by "
        f"mmstudio {mmstudio.__version__}. Any subset of its inputs may be given. It "
        + ("needs torch and not mmstudio" if for_torch else "needs neither torch nor mmstudio")
        + " and opens no connection.",
        "## Use", "```\npip install -r requirements.txt\n"
        f"python {program} {_call(inputs)}\n"
        f"python {program} --table samples.csv --output answers.csv\n"
        f"python {program} --selftest\n```", *([_for_torch()] if for_torch else []),
        f"`--selftest` compares with the app's answers to {samples}, for every subset of their "
        f"inputs. At the export the largest difference of a score was {found['largest']:.1e} in "
        f"{found['answers']} answers." + ("" if for_torch else
        " `serve.py` answers over HTTP; it also needs "
        f"`pip install {' '.join(s.partition('>')[0] for s in SERVER)}`."),
        "## Inputs", _inputs(schema, "the network" if for_torch else "`model.onnx`"),
        "## Answers", _targets(schema),
        "## Training", _training(predictor), "## Figures", figures, *_cost(quantized),
        "## Limits",
        "The figures are of rows like those of the training. Of other data, and of people, places "
        "and devices that the data does not hold, nothing is known. "
        + ("Scores are calibrated with the temperatures in `schema.json`."
           if any(schema["temperatures"].values())
           else "Scores are not calibrated: a score of 0.9 need not be right nine times of ten."),
        *_licences(predictor),
    ]
    return "\n\n".join(parts) + "\n"


def _for_torch() -> str:
    return ("`model.py` has `Network`, a `torch.nn.Module` over the tensors below: its weights are "
            "`model.safetensors`, its code, as torch traced it, `network.py`.")


def _cost(quantized: Quantized | None) -> list[str]:
    if quantized is None:
        return []
    before, after = (size / 1e6 for size in quantized.sizes)
    return ["## Weights of 8 bits",
            "The weights of its linear layers are int8, the runtime's dynamic quantization. On "
            f"{quantized.rows:,} {quantized.split} rows that made of the figures:",
            "\n".join(table_of(quantized)),
            f"The file has {after:.2f} MB in place of {before:.2f}. A score may differ by "
            f"{quantized.agree:.1e} from the app's, and a little from one processor to another."]


def _list(names: Any) -> str:
    *most, last = [f"`{n}`" for n in names]
    return f"{', '.join(most)} and {last}" if most else last


def _call(inputs: Mapping[str, str]) -> str:
    carriers = {name: carried(kind) for name, kind in inputs.items()}
    return " ".join(f"--input {name}={carrier.given}"
                    for name, carrier in carriers.items() if carrier is not None)


def _inputs(schema: Mapping[str, Any], of: str) -> str:
    lines = [f"| input | tensors of {of} | what it is |", "|---|---|---|"]
    for name, spec in schema["inputs"].items():
        carrier = carried(spec["modality"])
        if carrier is None:
            continue
        shape, told = carrier.described(spec, spec["tensors"])
        lines.append(f"| `{name}` | {shape} | {told} |")
    lines.append(f"| | `{schema['present']}` bool (B, {len(schema['inputs'])}) | which inputs "
                 "count, in this order; what stands where one is absent changes nothing |")
    return "\n".join(lines)


def _targets(schema: Mapping[str, Any]) -> str:
    lines = []
    for name, target in schema["targets"].items():
        if target["task"] == NUMBER.task:
            unit = f" in {target['unit']}" if target["unit"] else ""
            error = target["usual_error"]
            usual = "" if error is None else f"; usual error {error:.3g}"
            told = f"float64 (B): a number{unit}{usual}"
        else:
            classes = target["classes"]
            some = ", ".join(classes[:12]) + (" …" if len(classes) > 12 else "")
            told = f"float32 (B, {len(classes)}): the probability of {some}"
            if target["task"] == LABEL_SET.task:
                told += f"; answered from {target['threshold']:g} on"
        lines.append(f"- `{name}`: `{target['output']}` {told}")
    lines.append(f"- `{schema['embedding']}` float32 (B, {schema['embedding_width']}): the shared "
                 "representation")
    return "\n".join(lines)


def _training(predictor: Predictor) -> str:
    experiment, history = predictor.experiment, predictor.run.history()
    lines = [f"- data: `{Path(experiment.data.table).name}`"]
    if history.started is not None:
        counts = ", ".join(f"{n} {split}" for split, n in history.started.samples.items())
        lines.append(f"- rows: {counts}")
    for name, settings in experiment.active_inputs.items():
        model = settings.encoder.options.get("model")
        lines.append(f"- `{name}`: {settings.modality}, encoder `{settings.encoder.name}`"
                     + (f" on {_public(str(model))}" if model else ""))
    lines.append(f"- fusion: `{experiment.fusion.name}`"
                 + ("" if predictor.model.combination is None
                    else ", weighed together with each input's own head and quick models"))
    return "\n".join(lines)


def _public(model: str) -> str:
    """A published model's name; of one on this disk its folder's, not where that lies."""
    return Path(model).name if is_local(model) else model


def _licences(predictor: Predictor) -> list[str]:
    lines = []
    for name, noted in published_of(predictor.run).items():
        known = entry(noted["model"], predictor.inputs.get(name, ""))
        licence = known.licence if known is not None else "as its publisher gives it"
        model = noted["model"] if known is not None else Path(noted["model"]).name
        lines.append(f"- `{name}` stands on {model}: {licence}")
    return ["## Licences of published models\n\n" + "\n".join(lines)] if lines else []
