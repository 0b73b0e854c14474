"""Yes and no in several languages, as people and spreadsheets write them, in lower case."""

from __future__ import annotations

from typing import Final

YES: Final = (
    *("1", "true", "yes", "y"),
    *("wahr", "ja", "j"),  # German; ja also Dutch, Danish, Norwegian, Swedish
    *("vrai", "oui"),
    *("verdadero", "sí", "si"),  # Spanish; si also Italian
    *("vero", "sì"),
    *("verdadeiro", "sim"),
    *("waar", "sand", "sann", "sant", "tosi", "kyllä"),  # Dutch, Danish, Norwegian, Swedish, Finnish
    *("prawda", "tak", "pravda", "ano", "áno", "igaz", "igen"),  # Polish, Czech and Slovak, Hungarian
    *("doğru", "evet", "истина", "да"),
)
NO: Final = (
    *("0", "false", "no", "n"),
    *("falsch", "nein"),
    *("faux", "non"),
    *("falso", "falsa"),  # Spanish, Italian, Portuguese
    *("não", "nao"),
    *("onwaar", "nee", "falsk", "usann", "falskt", "epätosi", "nej", "nei", "ei"),
    *("fałsz", "nie", "nepravda", "ne", "hamis", "nem"),
    *("yanlış", "hayır", "ложь", "нет"),
)
