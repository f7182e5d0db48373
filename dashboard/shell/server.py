"""The Flask server: API, live channel, sign-in and health, with the Dash screens on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import Flask

from dashboard.api.alarms import alarms
from dashboard.api.approvals import approvals
from dashboard.api.categories import categories
from dashboard.api.devices import devices
from dashboard.api.duty import duty
from dashboard.api.events import events
from dashboard.api.gateways import gateways
from dashboard.api.handovers import handovers
from dashboard.api.health import LiveCollector, count_requests, health
from dashboard.api.incidents import incidents
from dashboard.api.ingest import ingest
from dashboard.api.intake import intake
from dashboard.api.kpi import kpi
from dashboard.api.lighting import lighting
from dashboard.api.live import live
from dashboard.api.lone_work import lone_work
from dashboard.api.messages import messages
from dashboard.api.openapi import openapi
from dashboard.api.people import people
from dashboard.api.permits import permits
from dashboard.api.registers import labels, registers
from dashboard.api.registry import registry
from dashboard.api.reports import reports
from dashboard.api.rules import rules
from dashboard.api.settings import settings
from dashboard.api.squads import squads
from dashboard.api.video import video
from dashboard.screens.squad.page import add_phone
from dashboard.shell import app as screens
from dashboard.shell import (
    auth,
    message_links,
    public_report,
    second_factor,
    setup,
    sign_in,
    tour,
)
from dashboard.shell.gate import Gate
from dashboard.shell.parts import EXTENSION, ROOT_FOLDER, DemoLogin, Parts
from dashboard.shell.ports import Ports
from dashboard.shell.problems import register_problems
from dashboard.shell.proxies import Networks, TrustedProxies
from dashboard.shell.streams import UPLOADS, UPLOADS_PER_PERSON, Places
from dashboard.shell.walls import Walls
from db.live import Redis
from db.pool import Pool

API = "/api/v1"
# A photo of a modern phone is up to about 12 MB.
LARGEST_REQUEST_BYTES = 25 * 1024 * 1024
DEFAULT_STREAMS = 300


def create_server(
    pool: Pool,
    redis: Redis,
    ports: Ports,
    secret_key: str,
    *,
    demo_logins: Sequence[DemoLogin] = (),
    places: Places | None = None,
    trusted_proxies: Networks = (),
    secure_cookies: bool = False,
    tile_url: str = "",
    data_dir: Path = ROOT_FOLDER,
) -> Flask:
    """The whole web application; nothing is connected to before the first request.

    `places` are for the screens that may follow at once, `trusted_proxies` whose word about who is
    really asking counts, `secure_cookies` that browsers always come over TLS.
    """
    server = Flask("dashboard", static_folder=None, template_folder="shell/templates")
    server.config.update(
        SECRET_KEY=secret_key,
        MAX_CONTENT_LENGTH=LARGEST_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=LARGEST_REQUEST_BYTES,
        TILE_URL=tile_url,
        SECURE_COOKIES=secure_cookies,
        TRAP_HTTP_EXCEPTIONS=False,
    )
    if trusted_proxies:
        server.wsgi_app = TrustedProxies(  # type: ignore[method-assign]
            server.wsgi_app, trusted_proxies
        )
    places = places or Places(DEFAULT_STREAMS)
    walls = Walls(pool, redis, places.operators)
    found = Parts(
        pool=pool,
        redis=redis,
        ports=ports,
        walls=walls,
        gate=Gate(pool, secret_key, ports.people, walls.doubt_all),
        places=places,
        uploads=Places(UPLOADS, per_person=UPLOADS_PER_PERSON, per_address=UPLOADS, kept=0),
        demo_logins=tuple(demo_logins),
        data_dir=data_dir,
    )
    server.extensions[EXTENSION] = found
    found.metrics.register(LiveCollector(found))
    count_requests(server, found.metrics)
    register_problems(server)
    script_hashes: list[str] = []
    auth.install(server, lambda: script_hashes)
    sign_in.add_sign_in(server, redis)
    second_factor.add_second_factor(server, redis)
    setup.add_setup(server, redis)
    public_report.add_public_report(server, redis, secret_key)
    tour.add_tour(server)
    message_links.add_message_links(server)
    add_phone(server)
    for blueprint in (
        *(devices, alarms, incidents, squads, duty, categories, kpi, ingest),
        *(video, events, registry, registers, gateways, people, settings, approvals),
        *(lighting, rules, permits, lone_work, intake, reports, handovers, messages, openapi),
    ):
        server.register_blueprint(blueprint, url_prefix=API)
    for blueprint in (live, health, labels):
        server.register_blueprint(blueprint)
    script_hashes += screens.mount(server).csp_hashes()
    return server
