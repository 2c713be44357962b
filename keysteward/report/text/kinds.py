"""What each kind of finding means, in a title and a sentence: for those who meet it without docs/findings.md. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from keysteward.core.findings import Kind


class Words(NamedTuple):
    """A title, and what is so where a finding of this kind stands."""

    title: str
    meaning: str


WORDS: Mapping[Kind, Words] = {
    Kind.ALLOWANCE_OVER: Words("An allowance is over", "What was knowingly left alone until a day is still there."),
    Kind.BLOCKED: Words("A credential is blocked", "It cannot go on by itself; the message says what the target said."),
    Kind.CAP_FILLED: Words("No room for another secret", "Secrets of others take the places that a rotation needs."),
    Kind.CHANGED: Words("A client was changed", "It differs at its target from its declaration."),
    Kind.CLOCK_OFF: Words("A clock is off", "Target and ledger store disagree on the time, so retirements wait."),
    Kind.CONSUMER_GONE: Words("The consumer is gone", "Whoever used the credential is retired, or soon will be."),
    Kind.COPIED_MARK: Words("A mark was copied", "An object carries our mark, and nothing of ours knows it."),
    Kind.DISABLED_ELSEWHERE: Words("Disabled by somebody else", "A client of ours was disabled at its target."),
    Kind.ENDED_ELSEWHERE: Words("Ended by somebody else", "The current secret was ended at its target, and not by us."),
    Kind.ELSEWHERE: Words("Another stack's", "An object carries the mark of another stack."),
    Kind.EXPIRING: Words("Expiring", "The declared end is near, or past."),
    Kind.EXTRA_SECRET: Words("A secret that nobody declared", "A client of ours has a secret that no run issued."),
    Kind.FAILED: Words("The last run failed", "What was due could not be done; the message says why."),
    Kind.GOVERNED: Words("A governed set is beyond its limits", "Keys of others are too many, too old or too wide."),
    Kind.HELD: Words("Held", "A person said that nothing begins or ends for a while."),
    Kind.LEASED: Words("Under work", "Another run works on it."),
    Kind.LEFT_DISABLED: Words("Disabled, and kept", "Whoever enables it makes its secrets work again."),
    Kind.MISDECLARED: Words("A target is not as declared", "It does with secrets what its declaration says it cannot."),
    Kind.MISSING: Words("Missing at its target", "It is declared and does not exist there."),
    Kind.NEW_VALUE_DUE: Words("A person is to make a new key", "Its system has no way to make one by a program."),
    Kind.NO_RUN: Words("No run came by", "Nothing is rotated while the scheduled job does not run."),
    Kind.NOT_RENEWED: Words("Not renewed", "The day of its classification is past, so nothing new is issued."),
    Kind.OUTDATED_GRANT: Words("A grant of the past", "It may get tokens in a way that OAuth has done with."),
    Kind.OVERDUE: Words("Rotation overdue", "Its secret is older than was agreed."),
    Kind.OVERWRITTEN: Words("A document was overwritten", "Somebody else wrote to what a store delivers."),
    Kind.OWNER_GONE: Words("The owner is gone", "Whoever answers for the credential has left, or leaves soon."),
    Kind.POLICY: Words("A rule is broken", "The declaration breaks a rule of its stack."),
    Kind.RETIREMENT_WAITS: Words("A retirement waits", "An old secret still works, since somebody may use it."),
    Kind.REVIEW_OVERDUE: Words("Review overdue", "Nobody attested for too long that it is still needed."),
    Kind.REVOKED: Words("Revoked", "A person ended it; nothing new is issued until it is lifted."),
    Kind.SEVERAL_SECRETS: Words("Several secrets work", "A rotation under way, or one that nobody finished."),
    Kind.SHARED_SECRET: Words("One secret in two places", "Who takes it from one place has the other as well."),
    Kind.STRAY_DELIVERY: Words("A delivery without a credential", "A store holds a document that nothing declares."),
    Kind.SUSPECT: Words("A suspect secret", "It appeared around an answer that was lost: ours, or a stranger's."),
    Kind.SUSPENDED: Words("Suspended", "A person suspended it; nothing of it works."),
    Kind.TOO_WIDE: Words("A switch is too wide", "A setting of its target gives it more than its scopes say."),
    Kind.UNASSIGNED: Words("Nobody's", "An imported credential has no owner yet."),
    Kind.UNDECLARED: Words("Not declared any more", "Its ledger is open, and no declaration names it."),
    Kind.UNDECLARED_SCOPE: Words("A scope that nobody declared", "The target's catalogue has it, the stack has not."),
    Kind.UNDELIVERED: Words("Not delivered", "No store holds the value that is current."),
    Kind.UNLOGGED: Words("Not in the audit log yet", "What was done waits in the ledgers; the log does not have it."),
    Kind.UNMANAGED: Words("Not declared", "It exists at the target, and nobody answers for it here."),
    Kind.UNNOTIFIED: Words("A consumer was not told", "Its webhook did not take the news of a delivery."),
    Kind.UNRECORDED: Words("Not in the ledgers", "It looks like ours, and the ledger store does not know it."),
    Kind.UNUSED: Words("Not used", "Nobody used it for longer than the rules allow."),
}
"""Every kind."""
