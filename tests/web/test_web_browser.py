"""Logging in with a real Chromium, whose HTTP/2 splits the Cookie header into one field per cookie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from flask import Flask
from playwright.async_api import Page, async_playwright

from gateway.http.certificates import Certificates
from gateway.http.listeners import HttpListeners
from gateway.http.router import Router
from gateway.http.rsgi import Application
from gateway.http.wsgi_bridge import WsgiBridge
from gateway.web.app import create_app

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
]


@asynccontextmanager
async def serving(app: Flask, data_dir: Path) -> AsyncIterator[HttpListeners]:
    bridge = WsgiBridge(app)
    listeners = HttpListeners(
        Application(Router(), bridge),
        https=("127.0.0.1", 0),
        http=("127.0.0.1", 0),
        tls=Certificates(data_dir),
    )
    await listeners.start()
    try:
        yield listeners
    finally:
        await listeners.stop()
        bridge.close()


@asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            yield await browser.new_page(ignore_https_errors=True)
        finally:
            await browser.close()


async def log_in_and_out(page: Page, base: str) -> str:
    """The protocol the pages came over."""
    await page.goto(f"{base}/?layout=4")
    assert page.url == f"{base}/login?next=%2F%3Flayout%3D4"
    await page.fill("#password", "wrong")
    await page.click("button[type=submit]")
    await page.wait_for_selector("#login-error")
    await page.fill("#password", "correct horse")
    await page.click("button[type=submit]")
    await page.wait_for_url(f"{base}/?layout=4")
    cookies = [cookie["name"] for cookie in await page.context.cookies(base)]
    assert len(cookies) >= 2, "one cookie would not be split"
    status = await page.evaluate("async () => (await fetch('/api/v1/cameras')).status")
    assert status == 200
    protocol: str = await page.evaluate("() => performance.getEntriesByType('navigation')[0].nextHopProtocol")
    await page.click("form.logout button")
    await page.wait_for_url(f"{base}/login")
    status = await page.evaluate("async () => (await fetch('/api/v1/cameras')).status")
    assert status == 401
    return protocol


@pytest.mark.e2e
def test_a_real_browser_logs_in_over_http2_and_over_plain_http_and_out_again(gateway, access, tmp_path: Path):
    async def run() -> None:
        app = create_app(gateway, access)
        async with serving(app, tmp_path) as listeners, chromium() as page:
            assert await log_in_and_out(page, f"https://localhost:{listeners.port('https')}") == "h2"
            assert await log_in_and_out(page, f"http://localhost:{listeners.port('http')}") == "http/1.1"

    asyncio.run(run())
