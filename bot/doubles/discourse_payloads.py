"""The JSON that a Discourse forum answers with, field by field as published."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
AVATAR = "/letter_avatar_proxy/v4/letter/s/5daacb/{size}.png"
WHEN = "2026-01-02T03:04:05.000Z"


@dataclass
class StoredPost:
    """A post of the double."""

    id: int
    topic_id: int
    number: int  # 1 is the topic's first
    user: str
    raw: str
    reason: str | None = None  # of the last edit
    revisions: list[str] = field(default_factory=list)  # earlier texts, oldest first
    deleted: bool = False


@dataclass
class StoredTopic:
    """A topic of the double."""

    id: int
    title: str
    user: str
    category: int
    external_id: str | None = None
    tags: list[object] = field(default_factory=list)
    posts: list[StoredPost] = field(default_factory=list)
    deleted: bool = False
    private: bool = False

    @property
    def slug(self) -> str:
        """Return the title as it stands in links."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "topic"


def cooked(raw: str) -> str:
    """Return the post's HTML; only paragraphs and escaping, small tags are kept."""
    escaped = html.escape(raw, quote=False)
    for tag in ("<small>", "</small>"):
        escaped = escaped.replace(html.escape(tag), tag)
    return "".join(f"<p>{part}</p>\n" for part in escaped.split("\n\n"))


def post(
    stored: StoredPost, topic: StoredTopic, *, me: str, raw: bool = False, created: bool = False
) -> Json:
    """Return a post; `created` is the form of the reply to POST."""
    found: Json = {
        "id": stored.id,
        "name": stored.user.title(),
        "username": stored.user,
        "avatar_template": AVATAR,
        "created_at": WHEN,
        "cooked": cooked(stored.raw),
        "post_number": stored.number,
        "post_type": 1,
        "posts_count": len(topic.posts),
        "updated_at": WHEN,
        "reply_count": 0,
        "reply_to_post_number": None,
        "quote_count": 0,
        "incoming_link_count": 0,
        "reads": 1,
        "readers_count": 0,
        "score": 0.0,
        "yours": stored.user == me,
        "topic_id": stored.topic_id,
        "topic_slug": topic.slug,
        "display_username": stored.user.title(),
        "primary_group_name": None,
        "flair_name": None,
        "flair_url": None,
        "flair_bg_color": None,
        "flair_color": None,
        "version": 1 + len(stored.revisions),
        "can_edit": stored.user == me,
        "can_delete": False,
        "can_recover": False,
        "can_wiki": False,
        "user_title": None,
        "bookmarked": False,
        "actions_summary": [],
        "moderator": False,
        "admin": False,
        "staff": False,
        "user_id": 1,
        "draft_sequence": 0,
        "hidden": False,
        "trust_level": 1,
        "deleted_at": None,
        "user_deleted": False,
        "edit_reason": stored.reason,
        "can_view_edit_history": True,
        "wiki": False,
        "reviewable_id": None,
        "reviewable_score_count": 0,
        "reviewable_score_pending_count": 0,
        "post_url": f"/t/{topic.slug}/{topic.id}/{stored.number}",
    }
    if raw:
        found["raw"] = stored.raw
    if not created and raw:
        found.pop("draft_sequence")
    return found


def updated_post(stored: StoredPost, topic: StoredTopic, *, me: str) -> Json:
    """Return the reply to PUT."""
    return {"post": {**post(stored, topic, me=me, raw=True), "draft_sequence": 1}}


def _post_in_topic(stored: StoredPost, topic: StoredTopic, *, me: str) -> Json:
    found = post(stored, topic, me=me)
    for name in ("posts_count", "draft_sequence", "post_url"):
        found.pop(name)
    return {
        **found,
        "link_counts": [],
        "read": True,
        "reviewable_id": 0,
    }


def posts_of_topic(topic: StoredTopic, posts: Iterable[StoredPost], *, me: str) -> Json:
    """Return the reply to GET /t/{id}/posts.json."""
    return {
        "post_stream": {"posts": [_post_in_topic(stored, topic, me=me) for stored in posts]},
        "id": topic.id,
    }


def _person(name: str) -> Json:
    return {"id": 1, "username": name, "name": name.title(), "avatar_template": AVATAR}


_DETAILS_FLAGS = [
    "can_edit",
    "can_move_posts",
    "can_delete",
    "can_create_post",
    "can_reply_as_new_topic",
    "can_convert_topic",
    "can_review_topic",
    "can_close_topic",
    "can_archive_topic",
    "can_split_merge_topic",
    "can_edit_staff_notes",
    "can_toggle_topic_visibility",
    "can_pin_unpin_topic",
    "can_moderate_category",
]


def topic(stored: StoredTopic, *, me: str, page: int = 20) -> Json:
    """Return the reply to GET /t/{id}.json with the first `page` posts."""
    there = [entry for entry in stored.posts if not entry.deleted]
    last = there[-1] if there else None
    return {
        "post_stream": {
            "posts": [_post_in_topic(entry, stored, me=me) for entry in there[:page]],
            "stream": [entry.id for entry in there],
        },
        "timeline_lookup": [[1, 0]],
        "suggested_topics": [],
        "tags": [],
        "tags_descriptions": {},
        "id": stored.id,
        "title": stored.title,
        "fancy_title": html.escape(stored.title),
        "posts_count": len(there),
        "created_at": WHEN,
        "views": 1,
        "reply_count": max(0, len(there) - 1),
        "like_count": 0,
        "last_posted_at": WHEN,
        "visible": True,
        "closed": False,
        "archived": False,
        "has_summary": False,
        "archetype": "regular",
        "slug": stored.slug,
        "category_id": stored.category,
        "word_count": 100,
        "deleted_at": None,
        "user_id": 1,
        "featured_link": None,
        "pinned_globally": False,
        "pinned_at": None,
        "pinned_until": None,
        "image_url": None,
        "slow_mode_seconds": 0,
        "draft": None,
        "draft_key": f"topic_{stored.id}",
        "draft_sequence": 0,
        "unpinned": None,
        "pinned": False,
        "current_post_number": 1,
        "highest_post_number": last.number if last else None,
        "deleted_by": None,
        "has_deleted": False,
        "actions_summary": [],
        "chunk_size": page,
        "bookmarked": False,
        "bookmarks": [],
        "topic_timer": None,
        "message_bus_last_id": 0,
        "participant_count": 1,
        "show_read_indicator": False,
        "thumbnails": None,
        "slow_mode_enabled_until": None,
        "details": {
            **dict.fromkeys(_DETAILS_FLAGS, False),
            "notification_level": 1,
            "can_remove_self_id": 1,
            "can_remove_allowed_users": False,
            "created_by": _person(stored.user),
            "last_poster": _person(last.user if last else stored.user),
        },
    }


def upload(number: int, *, name: str, size: int, sha1: str) -> Json:
    """Return the reply to POST /uploads.json."""
    extension = name.rsplit(".", 1)[-1].lower()
    return {
        "id": number,
        "url": f"/uploads/default/original/1X/{sha1}.{extension}",
        "original_filename": name,
        "filesize": size,
        "width": 800,
        "height": 500,
        "thumbnail_width": 690,
        "thumbnail_height": 431,
        "extension": extension,
        "short_url": f"upload://{sha1[:27]}.{extension}",
        "short_path": f"/uploads/short-url/{sha1[:27]}.{extension}",
        "retain_hours": None,
        "human_filesize": f"{size // 1024} KB",
        "dominant_color": "FFFFFF",
        "thumbnail": None,
    }


def category(number: int, *, permission: int | None) -> Json:
    """Return the reply to GET /c/{id}/show.json."""
    texts = dict.fromkeys(
        [
            "description",
            "description_text",
            "description_excerpt",
            "topic_url",
            "topic_template",
            "topic_title_placeholder",
            "sort_order",
            "sort_ascending",
            "default_view",
            "read_only_banner",
            "auto_close_hours",
            "default_slow_mode_seconds",
            "email_in",
            "emoji",
            "icon",
            "uploaded_logo",
            "uploaded_logo_dark",
            "uploaded_background",
            "uploaded_background_dark",
        ]
    )
    flags = dict.fromkeys(
        [
            "read_restricted",
            "can_edit",
            "show_subcategory_list",
            "navigate_to_first_post_after_read",
            "auto_close_based_on_last_post",
            "allow_unlimited_owner_edits_on_first_post",
            "email_in_allow_strangers",
            "mailinglist_mirror",
            "all_topics_wiki",
            "can_delete",
        ],
        False,
    )
    return {
        "category": {
            **texts,
            **flags,
            "id": number,
            "name": "Risk",
            "color": "0088CC",
            "text_color": "FFFFFF",
            "style_type": "square",
            "slug": "risk",
            "topic_count": 0,
            "post_count": 0,
            "position": number,
            "permission": permission,
            "notification_level": 1,
            "has_children": False,
            "subcategory_count": None,
            "num_featured_topics": 3,
            "subcategory_list_style": "rows_with_featured_topics",
            "default_top_period": "all",
            "default_list_filter": "all",
            "minimum_required_tags": 0,
            "custom_fields": {},
            "required_tag_groups": [],
            "available_groups": [],
            "group_permissions": [{"permission_type": 1, "group_name": "everyone", "group_id": 0}],
            "allow_badges": True,
            "topic_featured_link_allowed": True,
            "search_priority": 0,
            "topic_posting_review_group_ids": [],
            "reply_posting_review_group_ids": [],
        }
    }


def search(term: str, posts: Sequence[tuple[StoredPost, StoredTopic]]) -> Json:
    """Return the reply to GET /search.json."""
    return {
        "posts": [
            {
                "id": stored.id,
                "username": stored.user,
                "topic_id": topic.id,
                "post_number": stored.number,
                "blurb": stored.raw[:100],
            }
            for stored, topic in posts
        ],
        "users": [],
        "categories": [],
        "tags": [],
        "groups": [],
        "grouped_search_result": {
            "more_posts": None,
            "more_users": None,
            "more_categories": None,
            "term": term,
            "search_log_id": 1,
            "more_full_page_results": None,
            "can_create_topic": True,
            "error": None,
            "post_ids": [stored.id for stored, _ in posts],
            "user_ids": [],
            "category_ids": [],
            "tag_ids": [],
            "group_ids": [],
        },
    }


def pending(entries: Iterable[Mapping[str, Any]], *, user: str) -> Json:
    """Return the reply to GET /posts/{username}/pending.json."""
    return {
        "pending_posts": [
            {
                "id": entry["id"],
                "avatar_template": AVATAR,
                "category_id": entry.get("category"),
                "created_at": WHEN,
                "created_by_id": 1,
                "name": user.title(),
                "raw_text": entry["raw"],
                "title": entry.get("title"),
                "topic_id": entry.get("topic_id"),
                "topic_url": None,
                "username": user,
            }
            for entry in entries
        ]
    }
