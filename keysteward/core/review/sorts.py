"""What can change in a stack, and in one table how much each of it matters. Pure.

The risk of a change says how much more harm is possible after it than before: *high* widens what a secret opens, who
gets it or who approves it, or ends what works; *medium* makes things live longer, weakens a check, or needs somebody
to act; *low* tightens, or tells. It counts more for an API key, which is itself what every call carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Risk(StrEnum):
    """How much a change matters, the most first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Sort(StrEnum):
    """What kind of change it is; the words of docs/review.md."""

    ACCEPTS_GAP = "accepts a gap"
    ADDED = "added"
    ADOPTS = "adopts"
    ALLOWED = "left alone"
    ALLOWED_LESS = "left alone less"
    APPROVER_CHANGED = "approver changed"
    AUDIENCE_MORE = "audience added"
    AUDIENCE_LESS = "audience removed"
    BESIDE_LESS = "stack beside it removed"
    BESIDE_MORE = "stack beside it added"
    BOOTSTRAP = "bootstrap"
    CARD_CHANGED = "stack card changed"
    CEILING_LOWERED = "ceiling lowered"
    CEILING_RAISED = "ceiling raised"
    CONSUMER_BACK = "consumer back"
    CONSUMER_CHANGED = "consumer changed"
    CONSUMER_DROPPED = "consumer not listed any more"
    CONSUMER_LISTED = "consumer listed"
    CONSUMER_RETIRED = "consumer retired"
    DECOMMISSION = "decommissioned"
    DECOMMISSION_LATER = "decommissioned later"
    DELIVERED_LESS = "delivery removed"
    DELIVERED_MORE = "delivery added"
    DELIVERY_CHANGED = "delivery changed"
    ENDS = "removed: it ends"
    ENDS_ON_TIME = "removed after its day"
    ENVIRONMENT_CHANGED = "environment changed"
    EXCEPTION = "new exception"
    EXCEPTION_LONGER = "exception extended"
    EXCEPTION_SHORTER = "exception shortened"
    EXPIRES_LATER = "longer life"
    EXPIRES_SOONER = "shorter life"
    FORMER_LESS = "former names removed"
    FORMER_MORE = "former names added"
    GRANTS = "grants changed"
    HEARTBEAT_FASTER = "heartbeat tightened"
    HEARTBEAT_SLOWER = "heartbeat loosened"
    IDENTITY_CHANGED = "identity changed"
    INTERVAL_LONGER = "rotated less often"
    INTERVAL_SHORTER = "rotated more often"
    KEEPS_ADOPTED = "keeps adopted secrets"
    KEEPS_GAP_CLOSED = "accepts no gap any more"
    KIND_CHANGED = "kind changed"
    LEVEL_LOWERED = "rule counts less"
    LEVEL_RAISED = "rule counts more"
    LIMIT_LOOSENED = "limit loosened"
    LIMIT_TIGHTENED = "limit tightened"
    METHOD_STRONGER = "key pair in place of a secret"
    METHOD_WEAKER = "secret in place of a key pair"
    MIGRATES = "made transitional"
    MOVED = "moved"
    NARROWS_AT_ONCE = "narrows at once"
    NARROWS_LATER = "narrows with overlap again"
    OLD_SECRET_LONGER = "old secret may stay longer"  # noqa: S105 - no value
    OLD_SECRET_SHORTER = "old secret ends sooner"  # noqa: S105 - no value
    OPTIONAL_LESS = "optional scopes removed"
    OPTIONAL_MORE = "optional scopes added"
    OVERLAP_LONGER = "longer overlap"
    OVERLAP_NONE = "no overlap"
    OVERLAP_SHORTER = "shorter overlap"
    OWNER_BACK = "owner back"
    OWNER_CHANGED = "owner changed"
    OWNER_DETAILS = "owner's details changed"
    OWNER_DROPPED = "owner not listed any more"
    OWNER_GONE = "owner gone"
    OWNER_LEAVING = "owner leaves"
    OWNER_LISTED = "owner listed"
    PORT_ADDED = "target or store added"
    PORT_CHANGED = "target or store changed"
    PROBE_CHANGED = "probe changed"
    PURPOSE_CHANGED = "purpose changed"
    RECORD_COMMITTED = "record committed"
    RELEASED = "released"
    RENAMED = "renamed"
    RETIRES_ADOPTED = "ends adopted secrets"
    RULE_ADDED = "own rule added"
    RULE_CHANGED = "own rule changed"
    RULE_REMOVED = "own rule removed"
    RUN_BY_JOBS = "what jobs run"
    RUNBOOK_CHANGED = "runbook changed"
    REVIEWED = "reviewed"
    SAFEGUARD_LESS = "safeguard removed"
    SAFEGUARD_MORE = "safeguard added"
    SCOPES_LESS = "scopes removed"
    SCOPES_MORE = "scopes added"
    SERVER_ADDED = "API added"
    SERVER_CHANGED = "API changed"
    SERVER_REMOVED = "API removed"
    SERVER_SCOPES_LESS = "scopes of an API removed"
    SERVER_SCOPES_MORE = "scopes of an API added"
    SET_ADDED = "governed set added"
    SET_CHANGED = "governed set changed"
    SET_REMOVED = "governed set removed"
    STACK_ADDED = "stack added"
    STACK_PROGRAM = "Python of stacks"
    STACK_REMOVED = "stack removed"
    STACK_RENAMED = "stack's module renamed"
    STACK_TWICE = "stack declared twice"
    SWEEPING = "administrator's scope"
    TAKES_OVER = "takes over a place"
    TAKES_OVER_NO_MORE = "takes over a place no more"
    TOKENS_LONGER = "tokens live longer"
    TOKENS_SHORTER = "tokens live shorter"
    TRANSITION_LONGER = "transition extended"
    TRANSITION_SHORTER = "transition shortened"
    UNASSIGNED_LONGER = "may stay without owner for longer"
    UNASSIGNED_SHORTER = "needs an owner sooner"
    WAIVER = "new waiver"
    WAIVER_LESS = "waiver removed or shortened"
    WAIVER_LONGER = "waiver extended"
    WATCHED_LESS = "target watched no more"
    WATCHED_MORE = "target watched"
    WINDOWS_CHANGED = "maintenance windows changed"


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a sort of change matters for a client and for an API key, which rule it touches, who approves it.

    `rule` is for clients, `key_rule` for keys where it is another ("" for none). `security` says that security has to
    approve it whatever the kind is.
    """

    client: Risk
    key: Risk
    rule: str = ""
    key_rule: str = ""
    security: bool = False

    def risk(self, *, key: bool) -> Risk:
        """Return the risk for a kind."""
        return self.key if key else self.client

    def touches(self, *, key: bool) -> str:
        """Return the rule that is touched for a kind."""
        return self.key_rule or self.rule if key else self.rule


_H, _M, _L = Risk.HIGH, Risk.MEDIUM, Risk.LOW

WEIGHTS: Mapping[Sort, Weight] = {
    # what there is
    Sort.ADDED: Weight(_M, _H, "KS006", "KS023"),
    Sort.ENDS: Weight(_H, _H),
    Sort.ENDS_ON_TIME: Weight(_L, _L),
    Sort.RELEASED: Weight(_M, _H),
    Sort.RENAMED: Weight(_L, _L),
    Sort.KIND_CHANGED: Weight(_H, _H, "KS022", "KS023", security=True),
    Sort.ADOPTS: Weight(_M, _M),
    Sort.FORMER_MORE: Weight(_M, _H),
    Sort.FORMER_LESS: Weight(_L, _L),
    Sort.RETIRES_ADOPTED: Weight(_H, _H),
    Sort.KEEPS_ADOPTED: Weight(_L, _L),
    # what it opens
    Sort.SWEEPING: Weight(_H, _H, "KS016", security=True),
    Sort.SCOPES_MORE: Weight(_H, _H, "KS016"),
    Sort.SCOPES_LESS: Weight(_L, _L, "KS016"),
    Sort.OPTIONAL_MORE: Weight(_H, _H, "KS016"),
    Sort.OPTIONAL_LESS: Weight(_L, _L, "KS016"),
    Sort.AUDIENCE_MORE: Weight(_H, _H, "KS017"),
    Sort.AUDIENCE_LESS: Weight(_L, _L, "KS017"),
    Sort.GRANTS: Weight(_H, _H),
    Sort.NARROWS_AT_ONCE: Weight(_M, _M, "KS013"),
    Sort.NARROWS_LATER: Weight(_M, _M, "KS012"),
    # for how long
    Sort.TOKENS_LONGER: Weight(_M, _M, "KS015"),
    Sort.TOKENS_SHORTER: Weight(_L, _L, "KS015"),
    Sort.INTERVAL_LONGER: Weight(_M, _H, "KS011"),
    Sort.INTERVAL_SHORTER: Weight(_L, _L, "KS011"),
    Sort.OVERLAP_LONGER: Weight(_M, _H, "KS012"),
    Sort.OVERLAP_SHORTER: Weight(_L, _L, "KS012"),
    Sort.OVERLAP_NONE: Weight(_M, _M, "KS013"),
    Sort.OLD_SECRET_LONGER: Weight(_M, _M, "KS012"),
    Sort.OLD_SECRET_SHORTER: Weight(_L, _L, "KS012"),
    Sort.WINDOWS_CHANGED: Weight(_L, _L, "KS011"),
    Sort.EXPIRES_LATER: Weight(_M, _H, "KS010"),
    Sort.EXPIRES_SOONER: Weight(_L, _L, "KS010"),
    Sort.DECOMMISSION: Weight(_M, _M, "KS030"),
    Sort.DECOMMISSION_LATER: Weight(_M, _H, "KS030"),
    # why it is there, and by what kind of secret
    Sort.EXCEPTION: Weight(_H, _H, "KS025", security=True),
    Sort.EXCEPTION_LONGER: Weight(_H, _H, "KS026", security=True),
    Sort.EXCEPTION_SHORTER: Weight(_L, _L, "KS026"),
    Sort.BOOTSTRAP: Weight(_M, _M, "KS023", security=True),
    Sort.MIGRATES: Weight(_L, _L, "KS024"),
    Sort.TRANSITION_LONGER: Weight(_M, _M, "KS024", security=True),
    Sort.TRANSITION_SHORTER: Weight(_L, _L, "KS024"),
    Sort.METHOD_WEAKER: Weight(_H, _H, "KS022", security=True),
    Sort.METHOD_STRONGER: Weight(_L, _L, "KS022"),
    Sort.ACCEPTS_GAP: Weight(_M, _M, "KS013"),
    Sort.KEEPS_GAP_CLOSED: Weight(_L, _L, "KS013"),
    Sort.SAFEGUARD_LESS: Weight(_H, _H, security=True),
    Sort.SAFEGUARD_MORE: Weight(_L, _L),
    Sort.PROBE_CHANGED: Weight(_M, _M),
    # where it is
    Sort.MOVED: Weight(_H, _H),
    Sort.ENVIRONMENT_CHANGED: Weight(_H, _H, "KS019"),
    Sort.DELIVERED_MORE: Weight(_H, _H, "KS018"),
    Sort.DELIVERED_LESS: Weight(_M, _M, "KS018"),
    Sort.DELIVERY_CHANGED: Weight(_M, _M, "KS021"),
    Sort.TAKES_OVER: Weight(_M, _M, "KS018"),
    Sort.TAKES_OVER_NO_MORE: Weight(_L, _L, "KS018"),
    # who answers for it, and who uses it
    Sort.OWNER_CHANGED: Weight(_M, _H, "KS001"),
    Sort.CONSUMER_CHANGED: Weight(_M, _M, "KS006"),
    Sort.PURPOSE_CHANGED: Weight(_L, _L, "KS009"),
    Sort.RUNBOOK_CHANGED: Weight(_L, _L, "KS029"),
    Sort.REVIEWED: Weight(_L, _L, "KS027"),
    # what it may break
    Sort.WAIVER: Weight(_M, _H, "KS031", security=True),
    Sort.WAIVER_LONGER: Weight(_M, _H, "KS031", security=True),
    Sort.WAIVER_LESS: Weight(_L, _L, "KS031"),
    # APIs, keys of others, what is left alone
    Sort.SERVER_ADDED: Weight(_L, _L, "KS017"),
    Sort.SERVER_REMOVED: Weight(_M, _M, "KS017"),
    Sort.SERVER_CHANGED: Weight(_H, _H, "KS017"),
    Sort.SERVER_SCOPES_MORE: Weight(_L, _L, "KS016"),
    Sort.SERVER_SCOPES_LESS: Weight(_M, _M, "KS016"),
    Sort.SET_ADDED: Weight(_L, _L),
    Sort.SET_REMOVED: Weight(_M, _M, security=True),
    Sort.SET_CHANGED: Weight(_M, _M, security=True),
    Sort.CEILING_RAISED: Weight(_H, _H, "KS016", security=True),
    Sort.CEILING_LOWERED: Weight(_L, _L, "KS016"),
    Sort.ALLOWED: Weight(_M, _M, "KS031", security=True),
    Sort.ALLOWED_LESS: Weight(_L, _L, "KS031", security=True),
    Sort.BESIDE_MORE: Weight(_M, _M, security=True),
    Sort.BESIDE_LESS: Weight(_L, _L, security=True),
    Sort.WATCHED_LESS: Weight(_M, _M, security=True),
    Sort.WATCHED_MORE: Weight(_L, _L, security=True),
    # the stack itself
    Sort.STACK_ADDED: Weight(_M, _M, security=True),
    Sort.STACK_REMOVED: Weight(_H, _H, security=True),
    Sort.STACK_RENAMED: Weight(_M, _M, security=True),
    Sort.STACK_TWICE: Weight(_H, _H, security=True),
    Sort.IDENTITY_CHANGED: Weight(_H, _H, security=True),
    Sort.PORT_ADDED: Weight(_H, _H, security=True),
    Sort.PORT_CHANGED: Weight(_H, _H, security=True),
    Sort.LEVEL_LOWERED: Weight(_H, _H, security=True),
    Sort.LEVEL_RAISED: Weight(_L, _L, security=True),
    Sort.RULE_REMOVED: Weight(_H, _H, security=True),
    Sort.RULE_CHANGED: Weight(_M, _M, security=True),
    Sort.RULE_ADDED: Weight(_L, _L, security=True),
    Sort.LIMIT_LOOSENED: Weight(_M, _M, security=True),
    Sort.LIMIT_TIGHTENED: Weight(_L, _L, security=True),
    Sort.HEARTBEAT_SLOWER: Weight(_M, _M, security=True),
    Sort.HEARTBEAT_FASTER: Weight(_L, _L, security=True),
    # files beside declarations
    Sort.RUN_BY_JOBS: Weight(_H, _H, security=True),
    Sort.STACK_PROGRAM: Weight(_M, _M, security=True),
    Sort.RECORD_COMMITTED: Weight(_H, _H, security=True),
    Sort.CARD_CHANGED: Weight(_M, _M, security=True),
    # the owners file
    Sort.APPROVER_CHANGED: Weight(_H, _H, security=True),
    Sort.OWNER_LISTED: Weight(_L, _L, "KS001", security=True),
    Sort.OWNER_DROPPED: Weight(_H, _H, "KS001", security=True),
    Sort.OWNER_GONE: Weight(_H, _H, "KS002", security=True),
    Sort.OWNER_LEAVING: Weight(_M, _M, "KS003", security=True),
    Sort.OWNER_BACK: Weight(_M, _M, "KS002", security=True),
    Sort.OWNER_DETAILS: Weight(_L, _L, "KS002", security=True),
    Sort.CONSUMER_LISTED: Weight(_L, _L, "KS007"),
    Sort.CONSUMER_DROPPED: Weight(_M, _M, "KS007"),
    Sort.CONSUMER_RETIRED: Weight(_M, _M, "KS008"),
    Sort.CONSUMER_BACK: Weight(_M, _M, "KS008"),
    Sort.UNASSIGNED_LONGER: Weight(_M, _M, "KS005", security=True),
    Sort.UNASSIGNED_SHORTER: Weight(_L, _L, "KS005", security=True),
}
"""The one table of risks and rules."""

_PAIRS = (
    (Sort.ACCEPTS_GAP, Sort.KEEPS_GAP_CLOSED),
    (Sort.ALLOWED, Sort.ALLOWED_LESS),
    (Sort.AUDIENCE_MORE, Sort.AUDIENCE_LESS),
    (Sort.BESIDE_MORE, Sort.BESIDE_LESS),
    (Sort.CEILING_RAISED, Sort.CEILING_LOWERED),
    (Sort.DECOMMISSION_LATER, Sort.DECOMMISSION),
    (Sort.DELIVERED_MORE, Sort.DELIVERED_LESS),
    (Sort.EXCEPTION_LONGER, Sort.EXCEPTION_SHORTER),
    (Sort.EXPIRES_LATER, Sort.EXPIRES_SOONER),
    (Sort.FORMER_MORE, Sort.FORMER_LESS),
    (Sort.HEARTBEAT_SLOWER, Sort.HEARTBEAT_FASTER),
    (Sort.INTERVAL_LONGER, Sort.INTERVAL_SHORTER),
    (Sort.LEVEL_LOWERED, Sort.LEVEL_RAISED),
    (Sort.LIMIT_LOOSENED, Sort.LIMIT_TIGHTENED),
    (Sort.METHOD_WEAKER, Sort.METHOD_STRONGER),
    (Sort.NARROWS_LATER, Sort.NARROWS_AT_ONCE),
    (Sort.OLD_SECRET_LONGER, Sort.OLD_SECRET_SHORTER),
    (Sort.OPTIONAL_MORE, Sort.OPTIONAL_LESS),
    (Sort.OVERLAP_LONGER, Sort.OVERLAP_SHORTER),
    (Sort.RETIRES_ADOPTED, Sort.KEEPS_ADOPTED),
    (Sort.RULE_REMOVED, Sort.RULE_ADDED),
    (Sort.SAFEGUARD_LESS, Sort.SAFEGUARD_MORE),
    (Sort.SCOPES_MORE, Sort.SCOPES_LESS),
    (Sort.SERVER_SCOPES_MORE, Sort.SERVER_SCOPES_LESS),
    (Sort.TAKES_OVER, Sort.TAKES_OVER_NO_MORE),
    (Sort.TOKENS_LONGER, Sort.TOKENS_SHORTER),
    (Sort.TRANSITION_LONGER, Sort.TRANSITION_SHORTER),
    (Sort.UNASSIGNED_LONGER, Sort.UNASSIGNED_SHORTER),
    (Sort.WATCHED_LESS, Sort.WATCHED_MORE),
)

OPPOSITES: Mapping[Sort, Sort] = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
"""What a change is when it is taken back: of each pair the first one widens, the second one narrows."""
