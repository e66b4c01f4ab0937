# ruff: noqa: RUF001 - letters that look like Latin ones are what this file is for
"""The words that names of people, streets and firms are made of; none is a real person's name.

Each row is one script. The awkward values break real registers: a surname `Null`, a single name, a mark that
changes the writing direction, a letter of two code points.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AWKWARD_NAMES", "AWKWARD_TRADE_NAMES", "SCRIPTS", "Script"]


@dataclass(frozen=True, slots=True)
class Script:
    """One script, and words written in it."""

    name: str
    given: tuple[str, ...]
    family: tuple[str, ...]
    streets: tuple[str, ...]
    towns: tuple[str, ...]
    trades: tuple[str, ...]
    family_first: bool = False


SCRIPTS: tuple[Script, ...] = (
    Script(
        "latin",
        ("Zoë", "Łucja", "Søren", "Çağla", "Ingeborg", "Žofie", "Þórdís", "Nuño", "Ștefan", "Ngọc"),
        ("Ångstrand", "Müllerová", "Peña-Ortuño", "Kızılırmakoğlu", "Szczygłowski", "Ó Braonáinín", "Ðurić"),
        ("Rue de l'Évêché", "Große Bäckergasse", "Calle del Ñandú", "Łąkowa"),
        ("Sankt Ødegård", "Český Habrov", "Vila Açaí"),
        ("Bäckerei", "Boulangerie", "Oficina", "Kuaför"),
    ),
    Script(
        "greek",
        ("Ευανθία", "Θεόφιλος", "Καλλιρρόη", "Ιάσων"),
        ("Πετροβουνιώτης", "Αμπελοκήπη", "Θαλασσινού"),
        ("Οδός Ελαιώνων", "Λεωφόρος Ανέμων"),
        ("Νέα Πέτρα", "Άνω Ελιά"),
        ("Φούρνος", "Βιβλιοπωλείο"),
    ),
    Script(
        "cyrillic",
        ("Ярина", "Светозар", "Любомила", "Ђорђе"),
        ("Березовська", "Камнев", "Ясенчиќ", "Њежић"),
        ("вулиця Калинова", "Садовая улица"),
        ("Верхній Брід", "Новокаменск"),
        ("Пекарня", "Мастерская"),
    ),
    Script(
        "arabic",
        ("ريحانة", "سلمان", "نورهان", "إلياس"),
        ("الزيتوني", "بن وادي", "النخيلي"),
        ("شارع الرمان", "درب السلام"),
        ("عين الزهور", "وادي اللوز"),
        ("مخبز", "مكتبة"),
    ),
    Script(
        "devanagari",
        ("अनुष्का", "विश्वेश", "कृष्णवेणी", "ओंकार"),
        ("पर्वतीय", "नदीवाल", "क्षेत्रपाल"),
        ("आम्रपाली मार्ग", "गुलमोहर पथ"),
        ("नवग्राम", "शांतिपुरी"),
        ("बेकरी", "पुस्तकालय"),
    ),
    Script(
        "han",
        ("美琳", "宇轩", "思远", "𠮷彦"),
        ("欧阳", "林", "髙橋"),
        ("梧桐路", "桂花巷"),
        ("新河镇", "青石町"),
        ("面包店", "书店"),
        family_first=True,
    ),
    Script(
        "georgian",
        ("თამთა", "ლევანი", "ნათია"),
        ("წყაროსშვილი", "მთაძე"),
        ("ვაზის ქუჩა",),
        ("ახალწყარო",),
        ("თონე",),
    ),
    Script(
        "hebrew",
        ("אביגיל", "נועם"),
        ("בן־ארז", "הררי"),
        ("רחוב הרימון",),
        ("גבעת הזית",),
        ("מאפייה",),
    ),
    Script(
        "hangul",
        ("서윤", "하준"),
        ("남궁", "황보"),
        ("은행나무길",),
        ("새솔읍",),
        ("빵집",),
        family_first=True,
    ),
    Script(
        "ethiopic",
        ("ትዕግስት", "ዳዊት"),
        ("ወልደ ጸሐይ", "አበበች"),
        ("የአበባ መንገድ",),
        ("አዲስ ወንዝ",),
        ("ዳቦ ቤት",),
    ),
)

AWKWARD_NAMES: tuple[tuple[str, str], ...] = (
    ("Ada", "Null"),
    ("Indrawati", ""),  # one name only
    ("D'Artagnane", "O'Quince-N'Golo"),
    ("Marie-Ève-Aimée", "de la Vallée-Poussière"),
    ("\u200fליאור\u200f", "כהנאור"),  # right-to-left marks around the name
    ("Jose\u0301phine", "Nun\u0303ez"),  # combining accents instead of composed letters
    ("X", "Y"),
    ("Uvuvwevwevwe Onyetenyevwe", "Rhoshandiatellyneshiaunneveshenk-Koyaanisquatsiuthina"),
    ("True", "0"),
    ("Renée, known as Ren", "Comma"),
    ('Lou "Ace"', "Quote"),
    ("A\u00a0B", "Nobreak"),
)

AWKWARD_TRADE_NAMES: tuple[str, ...] = (
    "None of Your Business",
    "=SUM(1,1) Analytics",
    "L'Étoile & Fils",
    "<b>Bold</b> Prints",
    "1. FC Kegel 07",
    "Σ-Werk \U0001f9f5 Stitching",
)
