"""Every kind of channel: how it sends, and the longest text that it takes."""

from __future__ import annotations

from collections.abc import Mapping

from city.delivery import Channel, ChannelKind
from notify.channels import email, gateway, push, robots, webhook
from notify.channels.outcome import Senders
from notify.messages import TextLimit

SENDERS: Senders = {
    ChannelKind.EMAIL: email.send,
    ChannelKind.SMS: gateway.send,
    ChannelKind.PUSH: push.send,
    ChannelKind.WEBHOOK: webhook.send,
    ChannelKind.WECOM: robots.send_wecom,
    ChannelKind.DINGTALK: robots.send_dingtalk,
    ChannelKind.FEISHU: robots.send_feishu,
    ChannelKind.APPRISE: gateway.send,
}
# WeCom says 2,048 bytes of text; DingTalk and Feishu 20,000 and 20 KB of the whole request. A text
# message of Chinese is 70 units, and 67 a part where it has several: two parts. Of the 3,993 bytes
# of a push message the rest is for title and link.
LIMITS: Mapping[str, TextLimit] = {
    ChannelKind.EMAIL: TextLimit(100_000, "bytes"),
    ChannelKind.SMS: TextLimit(134, "units"),
    ChannelKind.PUSH: TextLimit(1_500, "bytes"),
    ChannelKind.WEBHOOK: TextLimit(20_000, "bytes"),
    ChannelKind.WECOM: TextLimit(2_048, "bytes"),
    ChannelKind.DINGTALK: TextLimit(18_000, "bytes"),
    ChannelKind.FEISHU: TextLimit(18_000, "bytes"),
    ChannelKind.APPRISE: TextLimit(2_000, "units"),
}


def limit_of(channel: Channel) -> TextLimit:
    """Of the kind, or less where the city says so."""
    own = LIMITS[channel.kind]
    if channel.text_max is None:
        return own
    return TextLimit(min(channel.text_max, own.most), own.unit)
