"""Which storing workers are alive."""

from __future__ import annotations

from db import ingest_workers
from db.ingest_workers import SILENT_S
from db.pool import Connection


def test_a_worker_is_alive_while_it_says_so(db: Connection) -> None:
    ingest_workers.beat(db, "w-1", "w", started=True)
    (worker,) = ingest_workers.list_workers(db)
    assert (worker.name, worker.process, worker.is_alive) == ("w-1", "w", True)
    db.execute(
        "UPDATE ingest_worker SET seen_at = clock_timestamp() - make_interval(secs => %s)",
        (SILENT_S + 1,),
    )
    assert not ingest_workers.list_workers(db)[0].is_alive
    ingest_workers.beat(db, "w-1", "w")
    again = ingest_workers.list_workers(db)[0]
    assert (again.is_alive, again.started_at) == (True, worker.started_at)
    ingest_workers.beat(db, "w-1", "w", started=True)
    assert ingest_workers.list_workers(db)[0].started_at > worker.started_at


def test_a_process_that_stops_takes_its_workers_with_it(db: Connection) -> None:
    for name, process in (("a-1", "a"), ("a-2", "a"), ("b-1", "b")):
        ingest_workers.beat(db, name, process)
    ingest_workers.forget_process(db, "a")
    assert [worker.name for worker in ingest_workers.list_workers(db)] == ["b-1"]
    assert ingest_workers.forget(db, "b-1")
    assert not ingest_workers.forget(db, "b-1")
