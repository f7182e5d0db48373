"""Messages to people, as the description of the API has them."""

from __future__ import annotations

from city.requests import BrowserRemoveRequest, BrowserRequest, ContactRequest
from dashboard.api import messages
from dashboard.api.operation import PAGING, Operation, as_filters

MESSAGE_OPERATIONS = (
    Operation(
        "get",
        "/deliveries",
        "Who was told what, newest first; all of a case or of the "
        "district for the centre, else one's own",
        messages.DeliveryItem,
        listed=True,
        query={**PAGING, **as_filters(messages.FILTERS)},
    ),
    Operation(
        "post",
        "/incidents/{id}/known",
        "The caller knows what they were told of a case: nothing wakes them for it any more",
        messages.KnownAnswer,
    ),
    Operation(
        "get",
        "/channels",
        "Channels of messages and how each does",
        messages.ChannelItem,
        listed=True,
    ),
    Operation(
        "post",
        "/channels/{name}/test",
        "A test message to the caller, or to the group",
        messages.TestAnswer,
        status="201",
    ),
    Operation("get", "/contact", "How the caller is reached", messages.ContactAnswer),
    Operation(
        "post",
        "/contact",
        "Addresses, language and quiet hours of the caller",
        messages.ContactAnswer,
        body=ContactRequest,
    ),
    Operation(
        "post",
        "/contact/browsers",
        "This browser takes the caller's messages",
        messages.ContactAnswer,
        body=BrowserRequest,
        status="201",
    ),
    Operation(
        "post",
        "/contact/browsers/remove",
        "A browser takes no more messages",
        messages.ContactAnswer,
        body=BrowserRemoveRequest,
    ),
)
