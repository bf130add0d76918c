"""What people say to a shop, and what it answers. V: the visitor, A: the agent, B: a bot, N: an internal note."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Talk:
    """Lines of one chat, in a language; `tag` is what the agents mark it with, `page` where the visitor is."""

    language: str
    tag: str
    page: str
    lines: tuple[str, ...]


TALKS = (
    Talk(
        "en",
        "delivery",
        "Green tea",
        (
            "V Hello, when will my order arrive? I ordered {ago} days ago.",
            "A Good morning! May I have the number of the order?",
            "V It is {order}.",
            "N Parcel is stuck at the depot, asked the carrier.",
            "A Thank you. The parcel left our warehouse yesterday, so it should be with you tomorrow.",
            "V Perfect, thank you!",
        ),
    ),
    Talk(
        "en",
        "returns",
        "Teapots",
        (
            "V Hi, the teapot in order {order} came broken.",
            "A I am sorry about that! Could you send us a picture?",
            "F teapot.gif",
            "A Thank you. We send you a new one today, and you need not return this one.",
            "V That is really kind.",
        ),
    ),
    Talk(
        "en",
        "advice",
        "Oolong",
        (
            "B Hi! Can I help you choose a tea?",
            "V Which oolong would you recommend to a beginner?",
            "A A lightly roasted one, such as our Tie Guan Yin. Brew it at 90 degrees, for two minutes.",
            "V Great, I will try it.",
        ),
    ),
    Talk(
        "cs",
        "doprava",
        "Zelený čaj",
        (
            "V Dobrý den, kdy dorazí moje objednávka {order}?",
            "A Dobrý den, balík jsme předali dopravci včera. Zítra by měl být u vás.",
            "V Děkuji mockrát!",
        ),
    ),
    Talk(
        "cs",
        "platba",
        "Pokladna",
        (
            "V Platba kartou mi neprošla. Co s tím?",
            "A Zkuste ji prosím znovu přes odkaz v e-mailu. Objednávku {order} vám zatím podržíme.",
            "V Už to prošlo, díky.",
        ),
    ),
    Talk(
        "de",
        "lieferung",
        "Grüner Tee",
        (
            "V Guten Tag, liefern Sie auch nach Österreich?",
            "A Guten Tag! Ja, in drei bis vier Tagen, ab 50 Euro ohne Versandkosten.",
            "V Wunderbar, danke.",
        ),
    ),
    Talk(
        "pl",
        "reklamacja",
        "Czajniki",
        (
            "V Dzień dobry, w zamówieniu {order} brakuje jednej herbaty.",
            "A Bardzo przepraszamy! Wyślemy ją jeszcze dzisiaj.",
            "V Dziękuję.",
        ),
    ),
    Talk(
        "fr",
        "conseil",
        "Thé noir",
        (
            "V Bonjour, ce thé contient-il de la caféine ?",
            "A Bonjour ! Oui, environ 40 mg par tasse. Notre rooibos n'en contient pas.",
            "V Merci beaucoup.",
        ),
    ),
    Talk(
        "es",
        "pedido",
        "Té matcha",
        (
            "V Hola, ¿puedo cambiar la dirección del pedido {order}?",
            "A ¡Hola! Claro, dígame la nueva dirección.",
            "V Gran Vía 5, Madrid. ¡Gracias!",
        ),
    ),
    Talk("en", "missed", "Gift sets", ("V Is anybody there? I need a gift set until Friday.",)),
    Talk("cs", "vzkaz", "Kontakt", ("V Prosím zavolejte mi na {phone}, chci objednat čaje pro celou firmu.",)),
    Talk("de", "verpasst", "Geschenke", ("V Hallo? Haben Sie auch Gutscheine?",)),
)

#: First names and family names, with the country that most who are called so live in.
PEOPLE = (
    ("Ann Miller", "GB", "London"),
    ("James Carter", "GB", "Leeds"),
    ("Eva Nováková", "CZ", "Brno"),
    ("Petr Svoboda", "CZ", "Praha"),
    ("Jana Dvořáková", "CZ", "Olomouc"),
    ("Lukas Gruber", "AT", "Wien"),
    ("Anna Schmidt", "DE", "Leipzig"),
    ("Zofia Kowalska", "PL", "Kraków"),
    ("Piotr Wiśniewski", "PL", "Gdańsk"),
    ("Camille Laurent", "FR", "Lyon"),
    ("Lucía García", "ES", "Madrid"),
    ("Bálint Kovács", "HU", "Szeged"),
    ("Mia Johansson", "SE", "Malmö"),
    ("Noah de Vries", "NL", "Utrecht"),
)
COUNTRIES = {
    "GB": "United Kingdom",
    "CZ": "Czechia",
    "AT": "Austria",
    "DE": "Germany",
    "PL": "Poland",
    "FR": "France",
    "ES": "Spain",
    "HU": "Hungary",
    "SE": "Sweden",
    "NL": "Netherlands",
}
#: Where somebody lives who writes in a language.
LANGUAGES = {
    "en": ("GB", "SE", "NL", "HU"),
    "cs": ("CZ",),
    "de": ("DE", "AT"),
    "pl": ("PL",),
    "fr": ("FR",),
    "es": ("ES",),
}
