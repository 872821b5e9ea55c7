"""Publishing to a forum over HTTP, against a double that enforces Discourse's rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.courier import Courier
from bot.database import open_database, rows, scalar
from bot.discourse_client import DiscourseClient, Enqueued, ForumPost
from bot.discourse_target import DiscourseTarget
from bot.discourse_text import external_id, topic_title
from bot.discourse_wire import DiscourseForbidden, DiscourseRefusal
from bot.doubles.discourse_forum import Forum
from bot.doubles.discourse_rules import Poster
from bot.doubles.discourse_service import CALM, DiscourseDouble, Weather
from bot.errors import DeliveryDelayed, DeliveryRefused, DeliveryUncertain
from bot.outbox import NewPost, Outbox, PostKind
from bot.settings import DiscourseSettings, OutboxSettings

DESCRIPTION = Path(__file__).parents[2] / ".." / "shared" / "data" / "discourse-openapi.json"
FORUM_KEY = "forumkey-0123456789abcdef0123456789abcdef"  # as in conftest.py
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
SETTINGS = OutboxSettings(retry_after=0.01, retry_at_most=0.05, settle=0.01, held_poll=0.01)


class Desk:
    """An outbox with a courier that delivers to the double."""

    def __init__(self, path: Path, client: DiscourseClient, **settings: Any) -> None:
        self.database = open_database(path)
        self.now = 1_000_000.0
        self.outbox = Outbox(self.database, clock=lambda: self.now)
        forum_settings = DiscourseSettings(
            url="http://localhost", username="seatrial", api_key=SecretStr("x"), category=5
        ).model_copy(update=settings)
        target = DiscourseTarget(client, forum_settings)
        self.courier = Courier(self.outbox, target, SETTINGS)
        self.made = 0

    def post(
        self, markdown: str, *, number: str = "1", kind: PostKind = PostKind.PUBLISH, **more: Any
    ) -> None:
        self.made += 1
        payload = {
            "title": topic_title(governor="Aave", number=number, title="Raise it"),
            "external_id": external_id(1, "0x01", number),
            "category": 5,
            "markdown": markdown,
            **more,
        }
        with self.database.atomic():
            self.outbox.add(
                [
                    NewPost(
                        key=f"post-{self.made}",
                        target="discourse",
                        subject=number,
                        kind=kind,
                        payload=payload,
                    )
                ]
            )

    async def deliver(self, *, at_most: int = 60) -> None:
        """Work until nothing is due within an hour."""
        for _ in range(at_most):
            if not await self.courier.step():
                wait = self.outbox.seconds_to_next("discourse")
                if wait is None or wait > 3600:
                    return
                self.now += wait + 0.001
        raise AssertionError("the courier does not come to an end")

    def states(self) -> list[str]:
        return [row["state"] for row in rows(self.database, "SELECT state FROM outbox ORDER BY id")]


@pytest.fixture
async def desk(tmp_path: Path, client: DiscourseClient) -> AsyncIterator[Desk]:
    ready = Desk(tmp_path / "bot.db", client)
    yield ready
    ready.database.conn.close()


def test_the_published_description_is_checked_where_it_is_at_hand() -> None:
    if not DESCRIPTION.exists():
        pytest.skip("../shared/data/discourse-openapi.json is absent: the wire is not validated")


async def test_a_topic_is_made_then_edited_in_place(desk: Desk, forum: Forum) -> None:
    desk.post("## PASS: the first report of a proposal")
    desk.post("## CAUTION: the second report", changes=[("2026-01-02 03:04", "CAUTION")])
    await desk.deliver()
    (topic,) = forum.topics
    (post,) = topic.posts
    assert topic.title == "Seatrial: Aave proposal 1 – Raise it"
    assert post.raw.startswith("## CAUTION: the second report")
    assert "- 2026-01-02 03:04 UTC: CAUTION" in post.raw
    assert post.revisions[0].startswith("## PASS: the first report")
    assert post.reason == "re-evaluated"
    assert desk.states() == ["sent", "sent"]
    assert desk.outbox.placement("discourse", "1").url.endswith(f"/{topic.id}/1")  # type: ignore[union-attr]


async def test_charts_are_uploaded_once_and_shown(desk: Desk, forum: Forum) -> None:
    desk.database["jobs"].insert(
        {"id": 1, "key": "k", "owner": "o", "kind": "e", "reason": "r", "request": "{}",
         "not_before": 0.0, "created_at": 0.0}
    )  # fmt: skip
    desk.database["evaluations"].insert(
        {"id": 9, "job_id": 1, "kind": "e", "reason": "r", "verdict": "PASS", "headline": "h",
         "digest": "d", "report": "{}", "markdown": "m", "embed": "{}", "created_at": 0.0}
    )  # fmt: skip
    desk.database["charts"].insert({"evaluation_id": 9, "name": "survival", "png": PNG})
    desk.post(
        "## PASS: a report with a chart\n\n![Survival](chart:survival)\n\n![No](chart:absent)"
    )
    desk.database.execute("UPDATE outbox SET evaluation_id = 9")
    await desk.deliver()
    (address,) = forum.uploads
    assert forum.uploads[address] == PNG
    assert f"![Survival]({address})" in forum.posts[0].raw
    assert "chart:" not in forum.posts[0].raw


async def test_the_daos_own_topic_is_replied_in(desk: Desk, forum: Forum) -> None:
    private = forum.open_topic("Staff only, nothing to see", private=True)
    theirs = forum.open_topic("ARFC: raise the threshold of WETH")
    desk.post("## PASS: a report in their topic", topics=[4040, private.id, theirs.id])
    desk.post("## FAIL: now it fails", topics=[theirs.id])
    desk.post("The verdict changed: FAIL.", kind=PostKind.NEWS)
    await desk.deliver()
    assert [post.user for post in theirs.posts] == ["author", "seatrial", "seatrial"]
    assert theirs.posts[1].raw.startswith("## FAIL: now it fails")
    assert theirs.posts[2].raw.startswith("The verdict changed: FAIL.")
    assert len(forum.topics) == 2


async def test_a_title_already_used_gets_the_reference(desk: Desk, forum: Forum) -> None:
    forum.open_topic("Seatrial: Aave proposal 1 – Raise it")
    desk.post("## PASS: a report with a taken title")
    await desk.deliver()
    assert forum.topics[1].title.startswith("Seatrial: Aave proposal 1 – Raise it (st")
    assert desk.states() == ["sent"]


async def test_a_lost_database_finds_its_topic_again(
    tmp_path: Path, client: DiscourseClient, forum: Forum
) -> None:
    for name, words in (("a.db", "the first time"), ("b.db", "after the disk died")):
        desk = Desk(tmp_path / name, client)
        desk.post(f"## PASS: {words}")
        await desk.deliver()
    (post,) = forum.posts
    assert post.raw.startswith("## PASS: after the disk died")


async def test_a_deleted_topic_is_not_made_again(desk: Desk, forum: Forum) -> None:
    desk.post("## PASS: soon to be deleted")
    await desk.deliver()
    forum.topics[0].deleted = True
    desk.post("## FAIL: an edit of a deleted topic")
    await desk.deliver()
    assert desk.states() == ["sent", "refused"]
    assert "removed from the forum" in scalar(
        desk.database, "SELECT error FROM outbox WHERE id = 2"
    )
    assert len(forum.topics) == 1


async def test_a_fourth_reply_in_a_row_is_folded_into_the_post(desk: Desk, forum: Forum) -> None:
    desk.post("## PASS: the report")
    for n in range(4):
        desk.post(f"News number {n} about the proposal", kind=PostKind.NEWS)
    await desk.deliver()
    assert len(forum.posts) == 3
    assert set(desk.states()) == {"sent"}
    forum.talk(forum.topics[0].id)
    desk.post("News after somebody spoke", kind=PostKind.NEWS)
    await desk.deliver()
    assert forum.posts[-1].raw.startswith("News after somebody spoke")


async def test_a_moderated_post_is_waited_for(desk: Desk, forum: Forum) -> None:
    forum.moderated = True
    desk.post("## PASS: this must be approved first")
    desk.post("## FAIL: and this comes after it")
    for _ in range(20):
        desk.now += 1
        await desk.courier.step()
    assert len(forum.pending) == 1
    assert desk.states() == ["held", "waiting"]
    forum.moderated = False
    forum.approve(keep_external_id=False)
    await desk.deliver()
    assert desk.states() == ["sent", "sent"]
    (post,) = forum.posts
    assert post.raw.startswith("## FAIL")


async def test_a_post_turned_down_is_not_made_again(desk: Desk, forum: Forum) -> None:
    forum.moderated = True
    desk.post("## PASS: this will be turned down")
    await desk.courier.step()
    forum.reject()
    forum.moderated = False
    await desk.deliver()
    assert desk.states() == ["refused"]
    assert forum.posts == []


FAILURES = {
    "lost": Weather(lost=1.0),
    "failed_after": Weather(failed_after=1.0),
    "dropped": Weather(dropped=1.0),
    "failed": Weather(failed=1.0),
    "limited": Weather(limited=1.0, retry_after=0),
    "slow": Weather(slow=1.0, delay=2.2),
}
STEPS = ("topic", "reply", "news", "edit", "moderated")


@pytest.mark.parametrize(
    ("step", "failure"),
    # Slow costs real seconds: once for a topic, once for a reply.
    [(s, f) for s in STEPS for f in FAILURES if f != "slow" or s in {"topic", "news"}],
)
async def test_one_failure_at_any_step_neither_loses_nor_doubles(
    desk: Desk, forum: Forum, discourse: DiscourseDouble, failure: str, step: str
) -> None:
    theirs = forum.open_topic("ARFC: somebody's own topic") if step == "reply" else None
    if step in {"news", "edit"}:
        desk.post("## PASS: the report before")
        await desk.deliver()
    forum.moderated = step == "moderated"
    desk.post(
        "## FAIL: the post in question",
        kind=PostKind.NEWS if step == "news" else PostKind.PUBLISH,
        **({"topics": [theirs.id]} if theirs else {}),
    )

    discourse.weather = replace(FAILURES[failure], methods=("POST", "PUT"))
    await desk.courier.step()
    desk.now += 10
    failed = scalar(desk.database, "SELECT outcome FROM deliveries ORDER BY id DESC")
    assert failed in {"uncertain", "not made"}
    discourse.weather = CALM
    if forum.moderated:
        for _ in range(5):
            desk.now += 100
            await desk.courier.step()
        assert len(forum.pending) == 1
        forum.moderated = False
        forum.approve()
    await desk.deliver()
    matching = [post for post in forum.posts if "## FAIL: the post in question" in post.raw]
    assert len(matching) == 1
    assert set(desk.states()) == {"sent"}


async def test_the_clients_own_words_for_each_failure(
    client: DiscourseClient, discourse: DiscourseDouble, forum: Forum
) -> None:
    with pytest.raises(DiscourseRefusal, match="Title is too short"):
        await client.create_post("a body that is long enough", title="short", category=5)
    with pytest.raises(DiscourseRefusal, match="words is very long"):
        await client.create_post(
            "a body that is long enough, second", title="about 0x" + "ab" * 20, category=5
        )
    forum.key = "another"
    with pytest.raises(DiscourseForbidden, match="check the API key"):
        await client.post(1)
    forum.key = FORUM_KEY
    forum.requests_per_minute = 1
    with pytest.raises(DeliveryDelayed) as caught:
        await client.create_post("a body that is long enough, third", topic_id=1)
    assert 0 < caught.value.seconds <= 61


async def test_identical_posts_are_remembered_by_the_forum(
    client: DiscourseClient, forum: Forum
) -> None:
    first = await client.create_post("the same text twice in a row", title="A" * 20, category=5)
    again = await client.create_post("the same text twice in a row", title="A" * 20, category=5)
    assert first == again
    assert isinstance(first, ForumPost)
    assert len(forum.posts) == 1
    with pytest.raises(DiscourseRefusal, match="too similar"):
        await client.create_post("the same text twice in a row", title="B" * 20, category=5)


async def test_new_users_limits_are_the_forums(client: DiscourseClient, forum: Forum) -> None:
    forum.poster = replace(Poster(name="seatrial"), trust_level=0)
    with pytest.raises(DiscourseRefusal, match="one image"):
        await client.create_post(
            "![a](upload://a.png) ![b](upload://b.png)", title="A" * 20, category=5
        )


async def test_uploads_must_be_images(client: DiscourseClient, forum: Forum) -> None:
    assert (await client.upload_png("chart", PNG)).startswith("upload://")
    assert await client.upload_png("chart", PNG) == next(iter(forum.uploads))
    assert len(forum.uploads) == 1


async def test_the_key_goes_to_no_other_host() -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Api-Key", ""))
        return web.json_response({})

    async def redirecting(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{urls[1]}/t/1.json"})

    urls, runners = [], []
    for handler in (redirecting, elsewhere):
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        runners.append(runner)
    try:
        async with DiscourseClient(
            SecretStr(urls[0]), username="seatrial", api_key=SecretStr(FORUM_KEY)
        ) as client:
            with pytest.raises(DeliveryRefused, match="redirects to"):
                await client.topic(1)
    finally:
        for runner in runners:
            await runner.cleanup()
    assert seen == []


async def test_nobody_there_is_certainly_not_made() -> None:
    async with DiscourseClient(
        SecretStr("http://127.0.0.1:9"), username="seatrial", api_key=SecretStr(FORUM_KEY)
    ) as client:
        with pytest.raises(DeliveryDelayed, match="cannot be reached"):
            await client.create_post("a body that is long enough", topic_id=1)


async def test_enqueued_is_not_a_post(client: DiscourseClient, forum: Forum) -> None:
    forum.moderated = True
    made = await client.create_post("a text for the moderators", title="A" * 20, category=5)
    assert isinstance(made, Enqueued)
    assert await client.pending_texts() == ["a text for the moderators"]


async def test_reading_is_tried_again_writing_is_not(
    client: DiscourseClient, discourse: DiscourseDouble, forum: Forum
) -> None:
    discourse.weather = Weather(failed=1.0)
    with pytest.raises(DeliveryUncertain):
        await client.post(1)
    assert len(discourse.requests) == 3
    with pytest.raises(DeliveryUncertain):
        await client.edit_post(1, "a text", reason="r")
    assert len(discourse.requests) == 4
    discourse.weather = CALM
    assert await client.category_permission(5) == 1
