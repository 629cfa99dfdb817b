"""Opens decavox's pages in Chromium: a report, a data set, a comparison. `chromium.py DECAVOX`.

A page must be shown without an error in the console and without a request to another place, on a
wide screen and on a narrow one, light and dark.
"""
import os
import sys
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import support
from support import decavox

MODEL = "checkpoints/lightweight.safetensors"


def browser():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
                     "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


class Pages(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser()
        cls.addClassCleanup(cls.browser.quit)

    def open(self, path):
        """Opens the page and checks the rules of all pages."""
        self.browser.get("file://" + path)
        self.assertEqual([entry["message"] for entry in self.browser.get_log("browser")], [])
        asked = [entry["message"] for entry in self.browser.get_log("performance")
                 if '"Network.requestWillBeSent"' in entry["message"]]
        self.assertTrue(asked)
        for message in asked:
            self.assertNotRegex(message, r'"url":"(?:https?|wss?):')
        self.assertEqual(self.browser.find_elements(By.TAG_NAME, "script"), [])
        self.assertTrue(self.browser.find_element(By.TAG_NAME, "h1").is_displayed())

    def assert_fits(self, width):
        """Asserts that no element lies beyond the right edge of a window of this width."""
        self.browser.set_window_size(width, 800)
        wide = self.browser.execute_script("return document.documentElement.scrollWidth")
        self.assertLessEqual(wide, max(width, 520))

    def colours(self, scheme):
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        return self.browser.execute_script(
            "return getComputedStyle(document.body).backgroundColor")

    def test_a_report(self):
        page = self.at("report.html")
        done = decavox("eval", MODEL, "--data", self.data, "--split", "random", "--html", page)
        self.assertEqual(done.code, 0, done.err)
        self.open(page)
        cells = self.browser.find_elements(By.CSS_SELECTOR, "svg text")
        self.assertTrue(any(cell.is_displayed() for cell in cells))
        self.assertNotEqual(self.colours("light"), self.colours("dark"))
        self.assert_fits(1200)
        self.assert_fits(400)

    def test_a_data_set(self):
        page = self.at("data.html")
        done = decavox("data", self.data, "--html", page)
        self.assertEqual(done.code, 0, done.err)
        self.open(page)
        sounds = self.browser.find_elements(By.TAG_NAME, "audio")
        self.assertTrue(sounds)
        ready = self.browser.execute_async_script(
            "const a = arguments[0], done = arguments[1]; a.preload = 'metadata'; "
            "a.onloadedmetadata = () => done(a.duration); a.onerror = () => done(-1); a.load();",
            sounds[0])
        self.assertGreater(ready, 0)

    def test_a_comparison(self):
        page = self.at("compare.html")
        done = decavox("compare", MODEL, "--seconds", "0.05", "--keep_busy", "--format", "html",
                       "--out", page)
        self.assertEqual(done.code, 0, done.err)
        self.open(page)
        self.assertIn("lightweight", self.browser.find_element(By.TAG_NAME, "table").text)


if __name__ == "__main__":
    support.main()
