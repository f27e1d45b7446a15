"""Holds the state of the generated network, from its invented beginning on.

The accounts below exist before the first ledger of the lake. Every stroop of the native asset is
in an account, a claimable balance or the fee pool: their sum is always `TOTAL_COINS`.
"""

from __future__ import annotations

from stellar_sdk import xdr

from ..networks import network_of_passphrase
from .accounts import AUTHORIZED, CLAWBACK_ENABLED, Account, SigningKey, TrustLine
from .assets import Asset, issued_asset, native_asset
from .entries import ClaimableBalance, LiquidityPool
from .market import OrderBook
from .packing import tag
from .spec import LakeSpec
from .vault import Vault

TOTAL_COINS = 10**18
"""Stroops of the native asset that a new network starts with: 100 billion lumens."""

_TRADERS = 48
_POOL_HOLDERS = 8
_RATES = (800, 900, 5000)
_TRADER_STROOPS = 10**13
_VISITOR_SEQUENCE_SHIFT = 32
_AUTH_REQUIRED_REVOCABLE_CLAWBACK = 0b1011
POOL_SHARE = tag(xdr.AssetType.ASSET_TYPE_POOL_SHARE)


class World:
    """Every account, offer, balance, pool and contract of the network.

    Attributes:
        traders: Accounts that send most transactions; never removed.
        visitors: Accounts created by transactions; removed again by merges.
        traded: Issued assets with a book of offers against the native asset.
        pooled: The two of them that the liquidity pool holds.
        points: An issued asset that accounts come to trust, and leave again.
        regulated: An issued asset whose issuer authorizes holders and claws back.
    """

    def __init__(self, spec: LakeSpec) -> None:
        self._seed = spec.seed
        self._ledger = spec.first_ledger
        self.passphrase = spec.network_passphrase
        self.network_id = network_of_passphrase(self.passphrase).network_id
        self.protocol = spec.protocol
        self.fee_pool = 0
        self.last_id = 0
        self.validator = SigningKey.derive(spec.seed, "validator")
        self.root = self._account(SigningKey(self.network_id), 0)
        self.traders = [self._funded(f"trader {index}") for index in range(_TRADERS)]
        self.visitors: list[Account] = []
        self._visitors_so_far = 0
        self.native = native_asset(self.passphrase)
        self.traded = [self._issue("USD"), self._issue("EURT"), self._issue("BONDTOKEN")]
        self.points = self._issue("POINTS")
        self.regulated = self._issue("CARBON", _AUTH_REQUIRED_REVOCABLE_CLAWBACK)
        self._trust_traded_assets()
        rates = zip(self.traded, _RATES, strict=True)
        self.books = [OrderBook(asset, rate) for asset, rate in rates]
        self.claimable: list[ClaimableBalance] = []
        self.pool = self._open_pool()
        self.vault = Vault(self.network_id, self.root.key_pair.public, self.traded[0].contract_id)
        self._balance_the_root()

    @property
    def issuers(self) -> list[Account]:
        """The accounts that issue the assets."""
        assets = (*self.traded, self.points, self.regulated)
        return [asset.issuer for asset in assets if asset.issuer is not None]

    def next_id(self) -> int:
        """The next id of an offer (`idPool` of the header)."""
        self.last_id += 1
        return self.last_id

    def new_visitor(self, balance: int, ledger: int) -> Account:
        """An account under a new key; the caller adds it to `visitors` once it is created."""
        self._visitors_so_far += 1
        key = SigningKey.derive(self._seed, f"visitor {self._visitors_so_far}")
        return self._account(key, balance, ledger)

    def native_total(self) -> int:
        """Stroops of the native asset in existence, counted one by one."""
        accounts = (self.root, *self.traders, *self.visitors, *self.issuers)
        set_aside = (entry.amount for entry in self.claimable if entry.asset is self.native)
        return sum(account.balance for account in accounts) + sum(set_aside) + self.fee_pool

    def _account(self, key: SigningKey, balance: int, ledger: int | None = None) -> Account:
        created = self._ledger - 1 if ledger is None else ledger
        return Account(key, balance, created << _VISITOR_SEQUENCE_SHIFT)

    def _funded(self, name: str) -> Account:
        return self._account(SigningKey.derive(self._seed, name), _TRADER_STROOPS)

    def _issue(self, code: str, flags: int = 0) -> Asset:
        issuer = self._funded(f"issuer of {code}")
        issuer.flags = flags
        return issued_asset(code, issuer, self.passphrase)

    def _trust_traded_assets(self) -> None:
        for trader in self.traders:
            for asset in self.traded:
                self.add_line(trader, asset.packed).balance = _TRADER_STROOPS
        for trader in self.traders[::3]:
            line = self.add_line(trader, self.regulated.packed)
            line.flags = AUTHORIZED | CLAWBACK_ENABLED

    def add_line(self, account: Account, packed: bytes) -> TrustLine:
        """Let an account trust an asset; a pool-share line counts as two sub-entries."""
        line = TrustLine(account.account_id, packed)
        account.lines[packed] = line
        account.sub_entries += 2 if packed[:4] == POOL_SHARE else 1
        return line

    def _open_pool(self) -> LiquidityPool:
        asset_a, asset_b = sorted(self.traded[:2], key=lambda asset: asset.packed)
        shares = _POOL_HOLDERS * 10**12
        pool = LiquidityPool(asset_a, asset_b, shares, shares, shares, _POOL_HOLDERS)
        for trader in self.traders[:_POOL_HOLDERS]:
            self.add_line(trader, POOL_SHARE + pool.pool_id).balance = 10**12
            for asset in (asset_a, asset_b):
                trader.lines[asset.packed].pool_uses = 1
        return pool

    def _balance_the_root(self) -> None:
        self.root.balance = TOTAL_COINS - self.native_total()
