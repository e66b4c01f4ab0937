"""What a service is, by a code of a list: two of the United Nations, or the catalogue's own.

`services.categories` in `catalog.yaml` is a mapping from code to title, or names a CSV file of the catalogue
with the code in its first column and the title in its second, below a header.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from contracts.documents.document import read_text
from contracts.errors import ContractError

SURVEY: Final = {
    code: code.replace("-", " ").capitalize()
    for code in (
        "apply-for-birth-certificate",
        "apply-for-building-permit",
        "apply-for-business-licence",
        "apply-for-child-benefits",
        "apply-for-death-certificate",
        "apply-for-disability-benefits",
        "apply-for-driving-licence",
        "apply-for-environmental-permit",
        "apply-for-government-vacancies",
        "apply-for-land-title-registration",
        "apply-for-maternal-benefits",
        "apply-for-marriage-certificate",
        "apply-for-personal-identity-card",
        "apply-for-social-protection",
        "apply-for-unemployment-benefits",
        "apply-for-visa",
        "apply-for-youth-benefits",
        "declare-to-police",
        "enrol-in-education",
        "pay-fines",
        "pay-utilities",
        "register-a-business",
        "register-a-motor-vehicle",
        "submit-change-of-address",
        "submit-income-tax",
        "submit-value-added-tax",
    )
}
"""The online services that the E-Government Survey of the United Nations looks for in every country."""

COFOG: Final = {
    "01.1": "Executive and legislative organs, financial and fiscal affairs, external affairs",
    "01.2": "Foreign economic aid",
    "01.3": "General services",
    "01.4": "Basic research",
    "01.5": "Research and development: general public services",
    "01.6": "Other general public services",
    "01.7": "Public debt transactions",
    "01.8": "Transfers between levels of government",
    "02.1": "Military defence",
    "02.2": "Civil defence",
    "02.3": "Foreign military aid",
    "02.4": "Research and development: defence",
    "02.5": "Other defence",
    "03.1": "Police services",
    "03.2": "Fire-protection services",
    "03.3": "Law courts",
    "03.4": "Prisons",
    "03.5": "Research and development: public order and safety",
    "03.6": "Other public order and safety",
    "04.1": "General economic, commercial and labour affairs",
    "04.2": "Agriculture, forestry, fishing and hunting",
    "04.3": "Fuel and energy",
    "04.4": "Mining, manufacturing and construction",
    "04.5": "Transport",
    "04.6": "Communication",
    "04.7": "Other industries",
    "04.8": "Research and development: economic affairs",
    "04.9": "Other economic affairs",
    "05.1": "Waste management",
    "05.2": "Waste water management",
    "05.3": "Pollution abatement",
    "05.4": "Protection of biodiversity and landscape",
    "05.5": "Research and development: environmental protection",
    "05.6": "Other environmental protection",
    "06.1": "Housing development",
    "06.2": "Community development",
    "06.3": "Water supply",
    "06.4": "Street lighting",
    "06.5": "Research and development: housing and community amenities",
    "06.6": "Other housing and community amenities",
    "07.1": "Medical products, appliances and equipment",
    "07.2": "Outpatient services",
    "07.3": "Hospital services",
    "07.4": "Public health services",
    "07.5": "Research and development: health",
    "07.6": "Other health",
    "08.1": "Recreational and sporting services",
    "08.2": "Cultural services",
    "08.3": "Broadcasting and publishing services",
    "08.4": "Religious and other community services",
    "08.5": "Research and development: recreation, culture and religion",
    "08.6": "Other recreation, culture and religion",
    "09.1": "Pre-primary and primary education",
    "09.2": "Secondary education",
    "09.3": "Post-secondary non-tertiary education",
    "09.4": "Tertiary education",
    "09.5": "Education not definable by level",
    "09.6": "Subsidiary services to education",
    "09.7": "Research and development: education",
    "09.8": "Other education",
    "10.1": "Sickness and disability",
    "10.2": "Old age",
    "10.3": "Survivors",
    "10.4": "Family and children",
    "10.5": "Unemployment",
    "10.6": "Housing",
    "10.7": "Social exclusion",
    "10.8": "Research and development: social protection",
    "10.9": "Other social protection",
}
"""The groups of the Classification of the Functions of Government, United Nations, Series M, No. 84, 1999."""

CATEGORIES: Final[Mapping[str, str]] = {**SURVEY, **COFOG}
"""What a service may be where the catalogue has no list of its own."""
MOST: Final = 10_000
"""Codes of a list."""


def read_code_list(root: Path, file: str) -> dict[str, str]:
    """Read a code list.

    Args:
        root: The catalogue's folder.
        file: A CSV file in it, with commas or semicolons.

    Returns:
        The titles by code.

    Raises:
        DocumentError: There is no such file, or it cannot be read.
        ContractError: It has no code, one twice, or too many.
    """
    lines = read_text(root, file).splitlines()
    delimiter = ";" if lines and ";" in lines[0] else ","
    rows = [row for row in csv.reader(lines[1:], delimiter=delimiter) if row and row[0].strip()]
    found = {row[0].strip(): (row[1] if len(row) > 1 else row[0]).strip() for row in rows}
    if not found or len(found) < len(rows) or len(found) > MOST:
        raise ContractError(
            f"Expected a header, then rows of code and title, no code twice, at most {MOST:,} - `{file}`"
        )
    return found


def title_of_category(code: str) -> str:
    """The title of a code of the United Nations; for any other the code itself, as words."""
    return CATEGORIES.get(code) or code.replace("-", " ")
