"""Make a sequence on its ground: in simulated blocks, or mined one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from evaluator.arena.adversary.compilation import (
    Impossible,
    account_of,
    encode_moves,
    transaction,
)
from evaluator.arena.adversary.ground import ATTACKER, SECOND, Ground
from evaluator.arena.adversary.leaves import Leaves, written
from evaluator.arena.adversary.moves import Amount, Basis, Kind, Move, Sequence
from evaluator.arena.adversary.outcome import FAILED, Counting, Outcome, settle
from evaluator.arena.adversary.polity import actions_of
from evaluator.arena.adversary.refill import OUTSIDE, followed_price
from evaluator.arena.adversary.seizure import FORGED, forged_oracle
from evaluator.arena.bundles import BLOCK_GAS
from evaluator.arena.funds import funding
from evaluator.chain.abi import selector
from evaluator.chain.simulation import (
    SimulatedBlock,
    SimulatedBlockResult,
    SimulatedCall,
    StateOverride,
)
from evaluator.errors import Cancelled, ConfigurationError, RpcError
from evaluator.stress.threads import Flag

BLOCK_TIME = 12  # seconds between blocks of an attack that names no wait
_TRANSFER = selector("transfer(address,uint256)")
UPDATE = 60  # seconds until an honest keeper has brought the market's price to the feed


Wrapper = Callable[[bytes], bytes]  # calldata of the attack into calldata that borrows for it


@dataclass
class Script:
    """Blocks of one sequence, with what each call in them is."""

    time: int  # of the block that is being written, seconds
    fair: Mapping[str, float]  # USD per whole token, by token
    purse: Mapping[str, int]  # brought, base units by token
    blocks: list[SimulatedBlock] = field(default_factory=list)
    calls: list[SimulatedCall] = field(default_factory=list)
    overrides: list[StateOverride] = field(default_factory=list)
    own: dict[tuple[int, int], str] = field(default_factory=dict)  # the attack's calls, in words
    world: dict[tuple[int, int], str] = field(default_factory=dict)  # everybody else's, in words
    held_up: bool = False  # whether a price is held up against the rest of the market
    height: int = 0  # of the block that is being written, number
    jumps: dict[int, int] = field(default_factory=dict)  # blocks left out, by the next one's place
    first: int = 0  # place of the first view in the first block; the last block ends with them

    def add(self, call: SimulatedCall, what: str) -> None:
        """Add a transaction of the attack."""
        self.own[len(self.blocks), len(self.calls)] = what
        self.calls.append(call)

    def happen(self, call: SimulatedCall, what: str) -> None:
        """Add a transaction of somebody else."""
        self.world[len(self.blocks), len(self.calls)] = what
        self.calls.append(call)

    def close(self, seconds: int, blocks: int = 1) -> None:
        """End the block; the next one is `seconds` and `blocks` later."""
        self.blocks.append(
            SimulatedBlock(
                calls=tuple(self.calls),
                # Numbers are named only where blocks were left out.
                number=self.height if len(self.blocks) in self.jumps else None,
                timestamp=self.time,
                overrides=tuple(self.overrides),
                gas_limit=BLOCK_GAS,
            )
        )
        self.calls, self.overrides = [], []
        self.time += seconds
        self.height += blocks
        if blocks > 1:
            self.jumps[len(self.blocks)] = blocks - 1


class Stage:
    """Tries sequences on one ground; keeps what does not depend on the sequence."""

    def __init__(
        self, ground: Ground, leaves: Leaves | None = None, *, cancelled: Flag | None = None
    ) -> None:
        """Take a ground, the feeds that prices come from if they are known, and when to stop."""
        self.ground = ground
        self.leaves = leaves
        self.cancelled = cancelled
        self.tried = 0  # sequences
        self._accrual = ground.lending.accrue()
        self._code = bytes.fromhex(ground.attacker.runtime)

    def fair(self, sequence: Sequence) -> dict[str, float]:
        """Fair prices once the outside market has moved as the sequence waits for."""
        fair = {t: token.fair for t, token in self.ground.tokens.items()}
        for move in sequence.conditional:
            # What is priced by the same feed moves with it, in the market too.
            moved = (move.asset,) if self.leaves is None else self.leaves.moved_with(move.asset)
            for token in moved:
                fair[token] = fair.get(token, 0.0) * move.factor
        return fair

    def purse(self, sequence: Sequence, fair: Mapping[str, float]) -> dict[str, int]:
        """What the attacker brings, base units by token. Raises Impossible."""
        out: dict[str, int] = {}
        for move in sequence.moves:
            if move.kind is Kind.FUND and move.amount is not None:
                if move.asset not in self.ground.tokens:
                    raise Impossible(f"the token {move.asset} is not known here")
                units = (
                    self.ground.units(move.asset, move.amount.value, fair)
                    if move.amount.basis is Basis.USD
                    else int(move.amount.value)
                )
                out[move.asset] = out.get(move.asset, 0) + units
        return out

    def try_out(self, sequence: Sequence, loan: Wrapper | None = None) -> Outcome:
        """Return what a sequence comes to; the ground stays as it is.

        With `loan` nothing is brought and the one transaction borrows what it needs.
        Raises Cancelled.
        """
        if self.cancelled is not None and self.cancelled.is_set():
            raise Cancelled("the search for attacks was stopped")
        self.tried += 1
        try:
            counting = Counting(self.ground, sequence)
            script = self.script(sequence, counting, loan)
            return self.read(counting, script, self.ground.engine.run(script.blocks))
        except (Impossible, RpcError) as error:
            return replace(FAILED, reason=str(error))

    def script(self, sequence: Sequence, counting: Counting, loan: Wrapper | None = None) -> Script:
        """Write the blocks of a sequence. Raises Impossible, RpcError."""
        ground = self.ground
        fair = self.fair(sequence)
        purse = self.purse(sequence, fair)
        script = Script(
            time=ground.timestamp + BLOCK_TIME, height=ground.height + 1, fair=fair, purse=purse
        )
        script.overrides += self._money({} if loan is not None else purse)
        if sequence.seconded:
            script.overrides.append(StateOverride(address=SECOND, code=self._code, balance=0))
        for call in self._accrual:
            script.happen(call, "interest is brought up to date")
        script.first = len(script.calls)
        script.calls += counting.calls
        pending: list[Move] = []

        def flush() -> None:
            if pending:
                data = encode_moves(ground, pending, fair)
                words = "; ".join(in_words(ground, m) for m in pending)
                who = account_of(pending[0])
                script.add(transaction(data if loan is None else loan(data), who), words)
                pending.clear()

        for move in sequence.moves:
            match move.kind:
                case Kind.FUND:
                    continue
                case Kind.EXECUTE if not ground.by_anyone:
                    flush()
                    if not ground.execution:
                        raise Impossible("the proposal is executed already")
                    for call in ground.execution:
                        script.add(call, "execute the proposal")
                case Kind.WAIT:
                    flush()
                    script.close(max(move.seconds, BLOCK_TIME))
                case Kind.PROPOSE | Kind.VOTE | Kind.QUEUE | Kind.ENACT:
                    flush()
                    self._wait_for(script, move)
                    pending.append(move)
                    flush()
                    if move.kind is Kind.VOTE:
                        self._oppose(script, move)
                case Kind.FORGE:
                    code = forged_oracle(ground, move.asset, move.factor)
                    if code is None:
                        raise Impossible("the present oracle does not answer")
                    script.overrides.append(StateOverride(address=FORGED, code=code))
                case Kind.SHOCK:
                    self._set(script, move.asset, move.factor)
                case Kind.FOLLOW:
                    if self.leaves is None or not self.leaves.followed(move.asset):
                        raise Impossible("whose market this feed follows is not known")
                    flush()
                    script.close(UPDATE)
                    script.held_up = True
                    self._set(script, move.asset, followed_price(ground, move.asset, script.blocks))
                case _:
                    if pending and pending[-1].second != move.second:
                        flush()
                    pending.append(move)
        flush()
        if loan is not None and len(script.own) != 1:
            raise Impossible("a loan pays for one transaction only")
        script.calls += counting.calls
        script.close(0)
        return script

    def read(
        self, counting: Counting, script: Script, results: list[SimulatedBlockResult]
    ) -> Outcome:
        """Say what the results of a script's blocks come to."""
        for block, place in script.own:
            result = results[block].calls[place]
            if not result.succeeded:
                return replace(FAILED, reason=result.reason)
        n = len(counting.calls)
        before = counting.read(results[0].calls[script.first : script.first + n])
        after = counting.read(results[-1].calls[-n:])
        if before is None or after is None:
            return replace(FAILED, reason="a reserve of the market does not answer any more")
        tokens, fair = self.ground.tokens, script.fair
        capital = sum(u / 10 ** tokens[t].decimals * fair[t] for t, u in script.purse.items())
        capital *= OUTSIDE if script.held_up else 1.0
        return settle(before, after, fair, capital)

    def _wait_for(self, script: Script, move: Move) -> None:
        """Let pass what a governor wants to have passed before a step of a proposal."""
        polity = self.ground.polity
        if polity is None:
            raise Impossible("no governor is known here")
        terms = polity.terms
        if move.kind is Kind.PROPOSE:
            script.close(BLOCK_TIME)  # votes count from the block after
            return
        if move.kind is Kind.ENACT:
            seconds, blocks = terms.timelock, terms.timelock // BLOCK_TIME
        else:
            count = 1 + (terms.delay if move.kind is Kind.VOTE else terms.period)
            seconds = count if terms.by_time else count * BLOCK_TIME
            blocks = seconds // BLOCK_TIME if terms.by_time else count
        script.close(max(seconds, BLOCK_TIME), max(blocks, 1))
        if self.leaves is None:
            return
        for leaf in self.leaves.leaves.values():
            call, override = written(leaf, leaf.answer, script.time)
            if call is not None:
                script.happen(call, "keepers report the price again")
            script.overrides += [] if override is None else [override]

    def _oppose(self, script: Script, move: Move) -> None:
        """Those who have heard of a proposal vote against it."""
        polity = self.ground.polity
        if polity is None or polity.asleep:
            return
        against = polity.bill(move.data).against
        for voter in polity.voters:
            call = SimulatedCall(sender=voter, to=polity.terms.governor, data=against)
            script.happen(call, f"{voter} votes against it")

    def _set(self, script: Script, token: str, ratio: float) -> None:
        """Have the feeds report another price from the block that is being written on."""
        if self.leaves is None or not self.leaves.movable(token):
            raise Impossible("how this price is made is not known")
        calls, overrides = self.leaves.scaled({token: ratio}, timestamp=script.time)
        symbol = self.ground.tokens[token].symbol
        for call in calls:
            script.happen(call, f"keepers report {symbol} at {ratio:.4g} times its price")
        script.overrides += overrides

    def _money(self, purse: Mapping[str, int]) -> list[StateOverride]:
        ground, native = self.ground, 0
        places = []
        for token, units in purse.items():
            if ground.tokens[token].native:
                native += units
                continue
            place = ground.slot(token)
            if place is None:
                raise Impossible(f"no way was found to bring {ground.tokens[token].symbol}")
            places.append((place, units))
        return [
            *funding(places),
            StateOverride(address=ATTACKER, code=self._code, balance=native),
        ]


def in_words(ground: Ground, move: Move) -> str:
    """Say a move in words, with the symbols of a ground."""
    if move.second:
        return f"by a second account, {in_words(ground, replace(move, second=False))}"
    known = ground.tokens.get(move.asset)
    symbol = move.asset if known is None else known.symbol
    amount = "" if move.amount is None else f"{_quantity(move.amount)} "
    match move.kind:
        case Kind.SWAP:
            pool = ground.pools.get(move.pool)
            to = "" if pool is None else f" for {ground.tokens[pool.other(move.asset)].symbol}"
            on = f" and that at {move.then}" if move.then else ""
            return f"sell {amount}{symbol}{to} at {move.pool}{on}"
        case Kind.DONATE:
            target = _OWN_ACCOUNTS.get(move.target, move.target)
            return f"give {amount}{symbol} to {target or 'its reserve'}"
        case Kind.LIQUIDATE:
            seized = ground.tokens.get(move.collateral)
            of = move.collateral if seized is None else seized.symbol
            debtor = _OWN_ACCOUNTS.get(move.debtor, move.debtor)
            return f"liquidate {debtor}: repay {amount}{symbol}, seize {of}"
        case Kind.FOLLOW:
            return f"keepers bring what the market made of {symbol} to its feed"
        case Kind.SHOCK:
            return f"the outside market moves {symbol} to {move.factor:.4g} times its price"
        case Kind.SET_PRICE:
            return f"write the price of {symbol} at {move.target}"
        case Kind.WAIT:
            return f"wait {move.seconds} s"
        case Kind.EXECUTE:
            return "execute the proposal"
        case Kind.FORGE:
            return f"{move.kind} that says {symbol} is worth {move.factor:,.0f} times as much"
        case Kind.PROPOSE:
            return f"propose to the governor that {_told(ground, move)}"
        case Kind.VOTE | Kind.QUEUE | Kind.ENACT:
            return str(move.kind)
    return f"{move.kind} {amount}{symbol}"


def _told(ground: Ground, move: Move) -> str:
    """Say what the calls of a proposal of the attacker's own do."""
    try:
        actions = actions_of(move.data)
    except ConfigurationError:
        return "something unreadable is done"
    told = []
    for action in actions:
        token = ground.tokens.get(action.target.lower())
        if FORGED[2:] in action.calldata.hex():
            told.append("the market reads its prices from that oracle")
            continue
        if token is None or action.calldata[:4] != _TRANSFER:
            told.append(f"{action.target} is called with 0x{action.calldata[:4].hex()}")
            continue
        units = int.from_bytes(action.calldata[36:68], "big")
        told.append(f"{units / 10**token.decimals:,.0f} {token.symbol} are paid to the attacker")
    return " and ".join(told)


def _quantity(amount: Amount) -> str:
    if amount.basis is Basis.USD:
        return f"{amount.value:,.0f} USD of"
    if amount.basis is Basis.UNITS:
        return f"{amount.value:,.0f} base units of"
    return f"{amount.value:.4%}".rstrip("0%").rstrip(".") + f"% of {_OF[amount.basis]}"


_OWN_ACCOUNTS = {ATTACKER: "the first account", SECOND: "a second account"}
_OF = {
    Basis.HELD: "the held",
    Basis.CASH: "the reserve's",
    Basis.ROOM: "the borrowable",
    Basis.SUPPLIED: "the supplied",
    Basis.OWED: "the owed",
}
