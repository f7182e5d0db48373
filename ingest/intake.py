"""All messages of one worker: gas in a lane of its own, the rest, and what dead workers left.

The broker queues a lane's messages in their order. If a backlog waits there (the database was
away, more arrives than can be stored), gas in the same queue would wait behind the lamps. So gas
of the native format has a session of its own, which is always emptied first; in the other lane
the same messages are acknowledged unread. Gas devices of other formats share their topics with
everything else: of what is here already theirs go first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from ingest.formats.native import GAS_FILTER, is_gas_topic
from ingest.message import Message
from ingest.mqtt import Inbox, client_id_of, gas_client_id_of, gather

GAS_SHARE, OTHER_SHARE = "ingest-gas", "ingest"
# Topics of gas devices remembered; more than a district has.
URGENT_MAX = 100_000
# A dead worker's sessions are empty when, unsubscribed, they have brought nothing for so long.
DRAINED_S = 3.0

Say = Callable[[str], None]


def shared_filters(filters: Iterable[str]) -> list[str]:
    """What the sessions of a worker subscribe to."""
    return [f"$share/{GAS_SHARE}/{GAS_FILTER}", *(f"$share/{OTHER_SHARE}/{f}" for f in filters)]


class Intake:
    """The inboxes of one worker; those of dead workers may be added."""

    def __init__(
        self,
        url: str,
        worker: str,
        filters: Sequence[str],
        receive_maximum: int,
        say: Say,
    ) -> None:
        self._url, self._receive_maximum, self._say = url, receive_maximum, say
        self._arrived = threading.Event()
        self._urgent: set[str] = set()
        self._gas = Inbox(
            url, gas_client_id_of(worker), [GAS_FILTER], receive_maximum, say,
            share=GAS_SHARE, arrived=self._arrived,
        )  # fmt: skip
        self._others = Inbox(
            url, client_id_of(worker), filters, receive_maximum, say,
            share=OTHER_SHARE, skip=self._is_taken_care_of, arrived=self._arrived,
        )  # fmt: skip
        self._others.urgent = self._urgent
        self._adopted: dict[str, tuple[Inbox, Inbox]] = {}
        self._gas_sessions_lost = 0

    def start(self) -> None:
        self._gas.start()
        self._others.start()

    def leave(self, filters: Sequence[str]) -> None:
        """Unsubscribe from filters of an earlier version of ours."""
        self._gas.leave(filters)
        self._others.leave(filters)

    def take(self, limit: int, gather_s: float, wait_s: float) -> list[Message]:
        """Gas first, then the rest; of each, our own before what dead workers left."""
        self._mind_the_fence()
        messages = gather(self._all(), limit, gather_s, wait_s)
        if not messages:
            self.acknowledge(())  # what was passed over, with nothing to store beside it
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are stored; call it after the commit, in order."""
        for inbox in self._all():
            inbox.acknowledge(messages)

    def publish(self, topic: str, payload: bytes, qos: int) -> bool:
        """Hand a message to the broker; False if there is no connection."""
        return self._others.publish(topic, payload, qos)

    def remember_urgent(self, topics: Iterable[str]) -> None:
        """Topics on which gas devices of other formats report."""
        if len(self._urgent) > URGENT_MAX:
            self._urgent.clear()
        self._urgent.update(topics)

    def adopt(self, worker: str, filters: Sequence[str]) -> None:
        """Take the place of a dead worker: subscribe to nothing, empty its sessions."""
        gas, rest = (
            Inbox(self._url, client_id, (), self._receive_maximum, self._say, arrived=self._arrived)
            for client_id in (gas_client_id_of(worker), client_id_of(worker))
        )
        for inbox in (gas, rest):
            inbox.leave(filters)
            inbox.start()
        self._adopted[worker] = gas, rest

    def emptied(self) -> list[str]:
        """Adopted workers whose sessions hold nothing any more; call it when all that was taken
        is acknowledged."""
        return [
            worker
            for worker, inboxes in self._adopted.items()
            if all(i.unsubscribed and not len(i) and i.silent_s() >= DRAINED_S for i in inboxes)
        ]

    def adopted(self) -> list[str]:
        """Workers whose sessions are being emptied here."""
        return list(self._adopted)

    def displaced(self) -> list[str]:
        """Adopted workers that were not dead: they have taken a session back."""
        return [w for w, inboxes in self._adopted.items() if any(i.is_closed for i in inboxes)]

    def release(self, worker: str, *, end: bool) -> bool:
        """Leave a dead worker's sessions; end them if they are empty, else keep them. Whether
        the broker was told."""
        told = [inbox.close(end_session=end) for inbox in self._adopted.pop(worker)]
        return all(told)

    def cut_off_s(self) -> float:
        """Seconds since the broker last delivered on either lane; none while it does."""
        return min(self._gas.cut_off_s(), self._others.cut_off_s())

    def stop_taking(self) -> None:
        """What arrives from now on is left to the broker."""
        for inbox in self._all():
            inbox.stop_taking()

    def close(self) -> None:
        """Keep the sessions, own and adopted."""
        for worker in self.adopted():
            self.release(worker, end=False)
        self._gas.close()
        self._others.close()

    def _mind_the_fence(self) -> None:
        """The other lane passes gas over only while the gas lane is sure to get it."""
        if self._gas.sessions_lost != self._gas_sessions_lost:
            self._gas_sessions_lost = self._gas.sessions_lost
            self._others.drop_fence()
        if self._gas.subscribed and (fence := self._others.next_fence()) is not None:
            self._gas.publish(*fence, qos=1)

    def _is_taken_care_of(self, topic: str) -> bool:
        return is_gas_topic(topic) and self._gas.subscribed

    def _all(self) -> list[Inbox]:
        """Gas first, that of dead workers too."""
        orphans = list(self._adopted.values())
        return [
            self._gas, *(gas for gas, _ in orphans), self._others, *(rest for _, rest in orphans)
        ]  # fmt: skip
