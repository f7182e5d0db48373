"""The process of a storing worker: `gridwarden ingest` starts it and gives it a socket."""

from __future__ import annotations

from app import logs
from app.settings import model_folder
from ingest import worker
from wire.models import use_model_folder

if __name__ == "__main__":
    logs.configure("ingest")
    use_model_folder(model_folder())
    worker.main()
