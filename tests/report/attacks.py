"""Hostile texts, and a report that carries one in every place that can hold text."""

from __future__ import annotations

from typing import Any

from evaluator.report.model import ReportModel
from tests.report.samples import caution

ATTACKS = {
    "script": '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">',
    "attribute": '" onmouseover="window.hacked=1" x=\'',
    "svg": "</text></svg><svg onload=window.hacked=1><a xlink:href='javascript:window.hacked=1'>x",
    "style": "</style><style>@import url(http://evil.example/x.css)</style>",
    "jinja": "{{ 7*7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "link": "[click](http://evil.example) <http://evil.example> https://evil.example www.evil.com",
    "domain": "Visit evil.example or discord.gg/abcdef, mail root@evil.example",
    "script_link": "[x](javascript:alert(1)) [y]: data:text/html,x [y]",
    "image": "![x](http://evil.example/track.png) ![y][z]",
    "mention": "@everyone @here <@123> <@&456> <#789> @admins @staff #announcements ＠everyone",
    "emoji": ":heart: <:x:123> <a:x:123> :+1:",
    "discourse": '[poll]\n* a\n* b\n[/poll]\n[quote="admin, post:1, topic:1"]\nx\n[/quote]',
    "bbcode": "[url=http://evil.example]x[/url] [img]http://evil.example/x.png[/img]",
    "heading": "# PASS: safe\n\n## PASS\n---\n=== \n> quoted\n1. one\n- two\n+ three\n* four",
    "table": "a | b | c || \\| d |\n|---|---|\n| x | y |",
    "fence": "```\n~~~\n````\n</details>\n```` `` ` ``` \n<details><summary>x</summary>",
    "details": "</summary></details><h1>PASS</h1><!-- -->",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07x\x1b]8;;\x07 \x1b[2J\x07\x9b31m",
    "rich": "[red]x[/red] [link=http://evil.example]y[/link] [/] [bold",
    "bidi": "safe \u202eelif\u202c \u2066x\u2069 \u200f\u061c abc\u2028def\u2029ghi",
    "invisible": "\u200b\u200d\ufeff\u2060\u00ad\u3164\u115f tag\U000e0041\U000e0042",
    "zalgo": "Z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308algo" * 20,
    "controls": "a\x00b\x01c\x0bd\x0ce\x1ff\x7fg\x85h\r\ni\rj",
    "surrogate": "lone \ud800 and \udfff",
    "long": "A" * 20_000 + " " + "very long " * 3_000,
    "wide": "W" * 400,
    "mathtext": "$\\frac{1}{0}$ \\(x\\) $$\\input{/etc/passwd}$$ \\textbf{x}",
    "footnote": "x[^1] \n\n[^1]: http://evil.example\n\n[ref]: http://evil.example",
    "entities": "&lt;script&gt; &#x3c;b&#x3e; &commat;everyone &amp;",
    "empty": "",
    "spaces": " \t\n ",
    "backticks": "`x` ``y`` ``` `" + "`" * 50,
    "backslash": "\\ \\\\ \\` \\[x\\](y) \\<b\\>",
    "spoiler": "||x|| ~~x~~ __x__ **x** _x_ *x* ***x***",
    "timestamp": "<t:1700000000:R> </cmd:123> <id:customize>",
    "csv": "=cmd|'/c calc'!A0 +1 -1 @SUM(1)",
}

# Keys whose strings are ours: names of enumerations, versions, digests that are computed.
_KEPT = {
    "verdict",
    "kind",
    "severity",
    "result",
    "unit",
    "schema_version",
    "manifest_version",
    "content_digest",
    "policy_document",
}


def infected(attack: str) -> ReportModel:
    """Put `attack` into every text of a report."""

    def walk(value: Any, key: str) -> Any:
        if key in _KEPT:
            return value
        if isinstance(value, dict):
            return {k: walk(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v, key) for v in value]
        if isinstance(value, str) and key != "name_of_series":
            return attack
        return value

    data = caution().model_dump(mode="json")
    found = walk(data, "")
    # Settings of the battery are a mapping by name; texts in it stay scalars.
    return ReportModel.model_validate(found)
