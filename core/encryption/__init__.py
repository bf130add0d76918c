"""How what is kept is put away: sealed where there are keys (`vault`), and smaller where that is wished
(`compression`). Whoever keeps or reads something takes `Vault` from here."""

from core.encryption.vault import Vault

__all__ = ["Vault"]
