"""What the forum is told: one lasting post per proposal, a short reply when the verdict changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.discourse_text import external_id, linked_topic, plain_words, topic_title
from bot.evaluations import Proposal, StoredEvaluation
from bot.outbox import NewPost, PostKind
from bot.posts import ASKED, Telling, change_lines
from bot.settings import DiscourseSettings, GovernorSettings, Settings


class DiscourseVoice:
    """Writes for the forum; implements `bot.posts.Voice`."""

    def __init__(self, settings: Settings, discourse: DiscourseSettings, *, host: str) -> None:
        self._settings = settings
        self._discourse = discourse
        self._host = host

    def told(self, telling: Telling) -> Sequence[NewPost]:
        """Return the post with the report, and a reply if the verdict changed."""
        proposal = telling.proposal
        if proposal is None or telling.is_private:
            return ()  # what somebody tries out is between them and the bot
        key = f"discourse:{telling.evaluation.id}"
        more = self._more(telling)
        if telling.is_scorecard:
            markdown = telling.result.markdown
            return (self._post(proposal, f"{key}:news", PostKind.NEWS, markdown, more=more),)
        shown = [one for one in telling.earlier if one.reason != ASKED] + [telling.evaluation]
        publish = self._post(
            proposal,
            f"{key}:publish",
            PostKind.PUBLISH,
            telling.result.markdown,
            more=more,
            changes=_changes(shown) if len(shown) > 1 else (),
            edit_reason=f"{telling.evaluation.verdict}, {telling.evaluation.reason}",
        )
        before = telling.verdict_before
        if before is None or not telling.is_news:
            return (publish,)
        news = (
            f"**The verdict changed from {before} to {telling.evaluation.verdict}.** "
            f"{plain_words(telling.result.headline)}\n\nThe report in this topic is up to date."
        )
        return (publish, self._post(proposal, f"{key}:news", PostKind.NEWS, news))

    def withdrawn(self, proposal: Proposal, event_id: int) -> Sequence[NewPost]:
        """Return an edit that says so."""
        text = (
            "## Withdrawn: the chain has taken this proposal back\n\n"
            "The block that held the proposal's creation was replaced by another one (a chain "
            "reorganisation), and the new chain does not hold it so far. If it is submitted "
            "again, the report will return here."
        )
        key = f"discourse:withdrawn:{event_id}"
        return (
            self._post(
                proposal, key, PostKind.PUBLISH, text, edit_reason="the proposal was withdrawn"
            ),
        )

    def _more(self, telling: Telling) -> str:
        evaluation = telling.evaluation
        if self._discourse.report_url:
            address = self._discourse.report_url.replace(
                "{evaluation}", str(evaluation.id)
            ).replace("{digest}", evaluation.digest)
            return f"[The full report]({address})."
        return f"The full report is evaluation {evaluation.id} of this bot."

    def _post(
        self,
        proposal: Proposal,
        key: str,
        kind: PostKind,
        markdown: str,
        *,
        more: str = "",
        changes: Sequence[tuple[str, str]] = (),
        edit_reason: str = "re-evaluated",
    ) -> NewPost:
        governor = self._governor(proposal)
        chain = next(c for c in self._settings.chains if c.name == proposal.chain)
        payload: Mapping[str, Any] = {
            "title": topic_title(
                governor=governor.name,
                number=proposal.number,
                title=proposal.title,
                longest=self._discourse.title_length,
            ),
            "external_id": external_id(chain.chain_id, proposal.governor, proposal.number),
            "category": governor.category or self._discourse.category,
            "markdown": markdown,
            "topics": self._topics(proposal, governor),
            "changes": [list(line) for line in changes],
            "edit_reason": edit_reason,
            "more": more,
        }
        return NewPost(
            key=key, target="discourse", subject=proposal.subject, kind=kind, payload=payload
        )

    def _governor(self, proposal: Proposal) -> GovernorSettings:
        for governor in self._settings.governors_of(proposal.chain):
            if governor.address == proposal.governor:
                return governor
        raise LookupError(f"the governor {proposal.governor} is not in the settings any more")

    def _topics(self, proposal: Proposal, governor: GovernorSettings) -> list[int]:
        mapped = governor.forum_topics.get(proposal.number)
        if mapped is not None:
            return [mapped]
        if not self._discourse.follow_links:
            return []
        linked = linked_topic(proposal.description, host=self._host)
        return [] if linked is None else [linked]


def _changes(shown: Sequence[StoredEvaluation]) -> list[tuple[str, str]]:
    return [(when, plain_words(what)) for when, what in change_lines(shown)]
