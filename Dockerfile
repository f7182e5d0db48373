# The Gridwarden image: the product and its pinned packages, no build tools, no root.
FROM python:3.13-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/gridwarden
RUN python -m venv .venv
COPY requirements/runtime.txt requirements/
RUN .venv/bin/python -m pip install --no-deps --only-binary :all: --require-hashes \
        -r requirements/runtime.txt
COPY . .
# Editable, as in a checkout: one way for the code to find its SQL, texts and assets.
RUN .venv/bin/python -m pip install --no-deps --no-index --no-build-isolation -e . \
    && .venv/bin/python -m compileall -q alerts app cities city columns dashboard db replay dispatch notify \
        founding ingest lighting people registers registry simulator stack wire

FROM python:3.13-slim

RUN useradd --system --uid 10001 --no-create-home gridwarden \
    && install -d -o gridwarden -g gridwarden /var/lib/gridwarden
COPY --from=build /opt/gridwarden /opt/gridwarden
ENV PATH=/opt/gridwarden/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRIDWARDEN_DATA_DIR=/var/lib/gridwarden
USER gridwarden
WORKDIR /opt/gridwarden
EXPOSE 8050
ENTRYPOINT ["gridwarden"]
CMD ["serve"]
