"""What the studio answers: the page, runs, their charts and pictures, what starts and stops them, the socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse

from zerosum.core import family
from zerosum.core.errors import Refusal
from zerosum.studio import pages
from zerosum.studio.artist import Artist
from zerosum.studio.easel import Easel
from zerosum.studio.guard import Calm
from zerosum.studio.jobs import Jobs, Wish
from zerosum.studio.listing import Listing
from zerosum.studio.thumbnails import thumbnail


def build(folder: Path, jobs: Jobs | None = None, say: Callable[[str], None] | None = None) -> FastAPI:
    """The studio over the runs of a folder, without its guard (`guard.Guard`, which `serve` puts before it).

    `say`: where a fault inside is told; on stderr unless it is given.
    """
    listing, artist, jobs = Listing(folder), Artist(), jobs or Jobs(folder)

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await artist.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    app.add_middleware(Calm, say=say or (lambda words: print(words, file=sys.stderr)))
    _tell_faults(app)
    _serve_runs(app, listing)
    _serve_training(app, listing, jobs)
    _serve_pictures(app, listing, artist)
    _serve_pages(app)
    return app


def _serve_runs(app: FastAPI, listing: Listing) -> None:
    @app.get("/api/runs/{name}")
    def run(name: str) -> dict[str, Any]:
        return listing.run(name).details()

    @app.get("/api/runs/{name}/charts")
    def charts(name: str) -> dict[str, Any]:
        return listing.run(name).charts()

    @app.get("/api/runs/{name}/thumbnail")
    def small(name: str) -> Response:
        return Response(thumbnail(listing.run(name).grid(None)), media_type="image/webp", headers=_kept(60))

    @app.get("/api/runs/{name}/grids/{images}")
    def grid(name: str, images: int) -> Response:
        return FileResponse(listing.run(name).grid(images), media_type="image/png", headers=_kept(3600))

    @app.get("/api/runs/{name}/reals")
    def reals(name: str) -> Response:
        path = listing.run(name).run.path / "reals.png"
        if not path.is_file():
            raise Refusal("This run has kept no real pictures.")
        return FileResponse(path, media_type="image/png", headers=_kept(3600))


def _serve_training(app: FastAPI, listing: Listing, jobs: Jobs) -> None:
    @app.get("/api/runs")
    def runs() -> dict[str, Any]:
        zoo = [{"id": key, "name": name} for key, name in listing.zoo().items()]
        entries = [asdict(watched.entry()) for watched in listing.runs()]
        return {"folder": listing.folder.name, "runs": entries, "jobs": jobs.all(), "zoo": zoo}

    @app.get("/api/games")
    def games() -> list[dict[str, str]]:
        return [{"name": card.name, "title": card.title, "when": card.when} for _, card in family.tree()]

    @app.post("/api/jobs")
    def start(wish: Wish) -> dict[str, Any]:
        return jobs.start(wish).record()

    @app.post("/api/jobs/{name}/stop")
    def stop_job(name: str) -> dict[str, Any]:
        jobs.stop(name)
        return {}

    @app.post("/api/runs/{name}/stop")
    def stop(name: str) -> dict[str, Any]:
        listing.run(name).run.interrupt()
        return {}

    @app.post("/api/runs/{name}/resume")
    def resume(name: str) -> dict[str, Any]:
        return jobs.resume(listing.run(name).run).record()

    sets: list[str] = []

    @app.get("/api/sets")
    async def known_sets() -> list[str]:
        if not sets:
            sets.extend(await _sets())
        return sets


async def _sets() -> list[str]:
    """The names of the sets that can be trained on, as the command line lists them; none where it cannot."""
    words = [sys.executable, "-m", "zerosum", "data", "list", "--json"]
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    try:
        return sorted(str(name) for name in json.loads(out))
    except ValueError:
        return []


def _serve_pictures(app: FastAPI, listing: Listing, artist: Artist) -> None:
    @app.websocket("/api/pictures/{name}")
    async def pictures(socket: WebSocket, name: str) -> None:
        await socket.accept()
        await Easel(socket, artist, lambda: listing.snapshot(name)).serve()


def _serve_pages(app: FastAPI) -> None:
    held = pages.pages()

    @app.get("/{path:path}")
    def page(path: str) -> Response:
        found = held.get(f"/{path}")
        if found is None:
            raise LookupError("There is no such page here.")
        headers = {"content-encoding": "gzip", **(_kept(86400) if path.startswith("assets/") else {})}
        return Response(found.body, media_type=found.kind, headers=headers)


def _tell_faults(app: FastAPI) -> None:
    """Each fault as JSON with one sentence."""

    def told(status: int, says: str) -> JSONResponse:
        return JSONResponse({"error": says}, status)

    @app.exception_handler(Refusal)
    def refused(_: Request, refusal: Refusal) -> Response:
        return told(409, str(refusal))

    @app.exception_handler(LookupError)
    def unknown(_: Request, error: LookupError) -> Response:
        return told(404, str(error.args[0]) if error.args else "There is no such thing here.")

    @app.exception_handler(RequestValidationError)
    def odd(_: Request, error: RequestValidationError) -> Response:
        where = ", ".join(str(fault["loc"][-1]) for fault in error.errors()[:3])
        return told(422, f"The request cannot be read: {where}.")

    @app.exception_handler(HTTPException)
    @app.exception_handler(404)
    @app.exception_handler(405)
    def amiss(_: Request, error: HTTPException) -> Response:
        return told(error.status_code, "There is nothing here that answers this.")


def _kept(seconds: int) -> dict[str, str]:
    """How long the browser may keep it, for itself alone."""
    return {"cache-control": f"private, max-age={seconds}"}
