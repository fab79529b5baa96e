"""The health page in a real Chromium: it refreshes itself, fits a phone, speaks Chinese, and reads no name as HTML."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from playwright.async_api import async_playwright

from gateway.config.model import Camera

EVIL = "<img src=x onerror=\"document.title='broken in'\">"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
WITHIN_MS = 30_000


@pytest.mark.e2e
def test_the_page_shows_what_the_api_says_on_a_phone_and_in_chinese(config, serving):
    cameras = (Camera("door", EVIL, rtsp="rtsp://127.0.0.1:1/live"), Camera("yard", "Yard", rtsp="rtsp://127.0.0.1:1/live"))

    async def main():
        async with serving(replace(config, cameras=cameras)) as service, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = await browser.new_page(viewport={"width": 390, "height": 844}, locale="en-GB")
            page.set_default_timeout(WITHIN_MS)
            complaints = []
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            base = f"http://127.0.0.1:{service.port('http')}"
            await page.goto(f"{base}/health")
            await page.fill("#password", "right")
            await page.click("button[type=submit]")
            await page.wait_for_url(f"{base}/health")
            await page.wait_for_selector('.card[data-camera="door"] [data-state="offline"]')
            assert await page.inner_text('.card[data-camera="door"] h3') == EVIL
            # refreshed by itself: the incident begins only after some seconds
            yard = page.locator('.card[data-camera="yard"]')
            await yard.locator("summary").click()
            await yard.locator("li[data-open] .kind", has_text="Offline").wait_for()
            assert await yard.locator("details").get_attribute("open") is not None, "what was opened stays open"
            drawn = "document.querySelector('.card[data-camera=yard] summary')"
            await page.evaluate(f"window.before = {drawn}; window.before.focus()")
            async with asyncio.timeout(WITHIN_MS / 1000):  # the page's policy forbids to wait for a function
                while await page.evaluate(f"{drawn} === window.before"):
                    await asyncio.sleep(0.2)
            assert await page.evaluate(f"document.activeElement === {drawn}"), "the keyboard stays where it was"
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await page.click('[data-language="zh"]')
            assert await page.inner_text("h1") == "运行状况"
            assert await yard.locator("li[data-open] .kind").inner_text() == "离线"
            await service.stop()
            await page.wait_for_selector("#lost:not([hidden])")
            assert "broken" not in await page.title()
            refused = [text for text in complaints if "ERR_" not in text]
            assert refused == []
            await browser.close()

    asyncio.run(main())


@pytest.mark.e2e
def test_a_gateway_without_cameras_says_so(config, serving):
    async def main():
        async with serving(config) as service, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = await browser.new_page(locale="en-GB")
            page.set_default_timeout(WITHIN_MS)
            await page.goto(f"http://127.0.0.1:{service.port('http')}/health")
            await page.fill("#password", "right")
            await page.click("button[type=submit]")
            await page.locator("#cameras", has_text="No cameras yet").wait_for()
            await browser.close()

    asyncio.run(main())
