"""Opens decavox's pages in Chromium: reports, a data set, a comparison, runs. `chromium.py DECAVOX`.

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
        """Nothing lies beyond the right edge of a screen that is so wide; tables may scroll."""
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500})
        wide = self.browser.execute_script("return document.documentElement.scrollWidth")
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.assertLessEqual(wide, width)

    def seconds_of(self, sound):
        """The length of a sound as the browser reads it; -1 where it cannot."""
        return self.browser.execute_async_script(
            "const a = arguments[0], done = arguments[1]; a.preload = 'metadata'; "
            "a.onloadedmetadata = () => done(a.duration); a.onerror = () => done(-1); a.load();",
            sound)

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
        self.assert_fits(1280)
        self.assert_fits(390)

    def test_runs(self):
        """The page of runs leads to the report of a run, whose mistakes are heard."""
        for rate in ("0.01", "0.000001"):
            self.train_once(self.at("runs", rate), "--learning_rate", rate)
        page = self.at("index.html")
        done = decavox("runs", self.at("runs"), "--html", page)
        self.assertEqual(done.code, 0, done.err)
        self.open(page)
        self.assertNotEqual(self.colours("light"), self.colours("dark"))
        self.assert_fits(1280)
        self.assert_fits(390)
        self.browser.find_element(By.LINK_TEXT, "0.000001").click()
        self.assertTrue(self.browser.current_url.endswith("/runs/0.000001/report.html"))
        self.assert_fits(390)
        sounds = self.browser.find_elements(By.TAG_NAME, "audio")
        self.assertTrue(sounds)
        self.assertAlmostEqual(self.seconds_of(sounds[0]), 1, 3)

    def test_a_data_set(self):
        page = self.at("data.html")
        done = decavox("data", self.data, "--html", page)
        self.assertEqual(done.code, 0, done.err)
        self.open(page)
        sounds = self.browser.find_elements(By.TAG_NAME, "audio")
        self.assertTrue(sounds)
        self.assertGreater(self.seconds_of(sounds[0]), 0)
        self.assert_fits(390)

    def test_a_comparison(self):
        page = self.at("compare.html")
        done = decavox("compare", MODEL, "--seconds", "0.05", "--keep_busy", "--format", "html",
                       "--out", page)
        self.assertEqual(done.code, 0, done.err)
        self.open(page)
        self.assertIn("lightweight", self.browser.find_element(By.TAG_NAME, "table").text)
        self.assert_fits(390)


if __name__ == "__main__":
    support.main()
