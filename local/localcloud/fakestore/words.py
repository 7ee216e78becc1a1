"""Words that generated records are made of; some are not ASCII, as in the real data. None needs escaping."""

CATEGORIES = ("men's clothing", "jewelery", "electronics", "women's clothing")
"""The real service's four, with its own spelling."""

MATERIALS = (
    "Cotton",
    "Silver",
    "Solid Gold",
    "Leather",
    "Crème",
    "Walnut",
    "Steel",
    "Wool",
    "Linen · washed",
    "Glass",
)
THINGS = (
    "Jacket",
    "Ring",
    "Backpack",
    "Monitor",
    "T-Shirt",
    "Drive",
    "Étui",
    "Lamp",
    "Keyboard",
    "Scarf",
    "Umbrella",
)
FIRST_NAMES = (
    "ada",
    "björn",
    "chloé",
    "david",
    "emma",
    "farid",
    "grace",
    "hana",
    "ivan",
    "josé",
    "kim",
    "łucja",
)
LAST_NAMES = (
    "doe",
    "müller",
    "garcía",
    "okafor",
    "sato",
    "novák",
    "smith",
    "dvořák",
    "silva",
    "kowalska",
    "李",
)
CITIES = (
    "kilcoole",
    "San Antonio",
    "Zürich",
    "São Paulo",
    "Málaga",
    "el paso",
    "mesa",
    "Łódź",
    "Malmö",
    "京都",
)
STREETS = ("new road", "Lovers Ln", "Frances Ct", "Hauptstraße", "adams St", "Rua do Ouro", "oak lawn ave")
