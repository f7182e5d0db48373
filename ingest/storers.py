"""Storing workers as the inbox sees them: processes that are given parcels and answer them."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.hand_over import (
    READY,
    AnswerReader,
    RawPiece,
    StoreSettings,
    pack_greeting,
    pack_parcel,
)
from ingest.mqtt import Piece

log = logging.getLogger(__name__)

# What starts a worker; the number of its open socket is added.
STORE_COMMAND = (sys.executable, "-m", "ingest.worker")
# A worker says every second that it is there, whatever it waits for. One that says nothing is
# frozen, and what it has in hand with it.
SILENT_S = 4.0
# A worker that lived shorter than this is started again after a pause.
SHORT_LIFE_S = 5.0
PAUSE_S = 1.0
# What the kernel takes for us at once, and how many parts of parcels are offered to it.
SEND_BUFFER_BYTES = 1 << 20
PARTS_AT_ONCE = 64
# Workers that one message may end before it is put aside unread.
DEATHS_ENOUGH = 4
# How long an ended worker may take for the statement it is in.
END_S = 5.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a worker was given and has not answered."""

    number: int
    pieces: Sequence[Piece]


class Storer:
    """One worker: started when it is missing, started again when it dies or freezes."""

    def __init__(self, command: Sequence[str], settings: StoreSettings) -> None:
        self._command, self._settings = tuple(command), settings
        self.name = settings.name
        self.parcels: deque[Parcel] = deque()
        self.sock: socket.socket | None = None
        self.is_ready = False
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._start_at = self._heard_at = 0.0
        self._out: deque[memoryview] = deque()

    def start_if_due(self, at: float) -> None:
        """`at` is monotonic."""
        if self._process is not None or at < self._start_at:
            return
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        ours.setblocking(False)
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [*self._command, str(number)], stdin=subprocess.DEVNULL, pass_fds=[number]
            )
        self.sock, self._answers = ours, AnswerReader()
        self._started_at = self._heard_at = at
        self._out.append(memoryview(pack_greeting(self._settings)))

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def give(self, number: int, pieces: Sequence[Piece], revision: int) -> None:
        """Hand it the next parcel, taken by this revision of the feeds."""
        raw = [
            RawPiece(p.lane.client_id, p.packets, p.received_at, p.pass_over_gas, p.again,
                     p.count == 1 and p.deaths >= DEATHS_ENOUGH)
            for p in pieces
        ]  # fmt: skip
        self._out.extend(map(memoryview, pack_parcel(number, raw, revision)))
        self.parcels.append(Parcel(number, pieces))

    def write(self) -> None:
        """Send as much as it takes."""
        assert self.sock is not None, "only a worker with a socket is writable"
        parts = [self._out[i] for i in range(min(PARTS_AT_ONCE, len(self._out)))]
        try:
            sent = self.sock.sendmsg(parts)
        except BlockingIOError:
            return
        except OSError:
            return  # it is dead, which reading finds out
        while sent:
            first = self._out.popleft()
            if sent < len(first):
                self._out.appendleft(first[sent:])
                break
            sent -= len(first)

    def read(self, at: float) -> bool:
        """Take in what it has answered; False if it is gone."""
        assert self.sock is not None, "only a worker with a socket is readable"
        try:
            received = self.sock.recv(1 << 20)
        except BlockingIOError:
            return True
        except OSError:
            received = b""
        if not received:
            return False
        self._heard_at = at
        for number, owed in self._answers.feed(received):
            if number == READY:
                self.is_ready = True
            else:
                parcel = self.parcels.popleft()
                assert parcel.number == number, "parcels are answered in their order"
                for piece, packets in zip(parcel.pieces, owed, strict=True):
                    piece.owed = packets
        return True

    def is_frozen(self, at: float) -> bool:
        """It should have said something by now."""
        return self.is_ready and at - self._heard_at > SILENT_S

    def excuse(self, at: float) -> None:
        """Nobody was there to hear it."""
        self._heard_at = at

    def bury(self, at: float) -> list[Piece]:
        """End what is left of it; gives what it had in hand, oldest first."""
        if self._process is not None:
            self._process.kill()
            code = self._process.wait()
            log.warning("storing worker %s ended (%s); starting another", self.name, code)
        undone = [piece for parcel in self.parcels for piece in parcel.pieces]
        for piece in undone:
            piece.again = True
        self._forget()
        self._start_at = at + (PAUSE_S if at - self._started_at < SHORT_LIFE_S else 0.0)
        return undone

    def close(self) -> None:
        """Let it finish the statement it is in, then it is gone."""
        if self.sock is not None:
            self.sock.close()
        if self._process is not None:
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock, self._process, self.is_ready = None, None, False
        self.parcels.clear()
        self._out.clear()
