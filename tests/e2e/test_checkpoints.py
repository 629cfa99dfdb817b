"""The files of checkpoints/: pages agree with their JSON, models with their cards, and docs/
with the measurements."""
import json
import os
import re
import subprocess
import sys
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tools", "accuracy"))
import accuracy_pages as pages
import accuracy_protocols as protocols
import accuracy_results as results


class Committed(unittest.TestCase):
    def test_pages_are_as_the_json_has_them(self):
        self.assertEqual(pages.check(os.path.join(support.ROOT, "checkpoints")), [])

    def test_models_do_not_tell_where_their_data_lay(self):
        folder = os.path.join(support.ROOT, "checkpoints")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".safetensors"):
                _, metadata = support.read_tensors(os.path.join(folder, name))
                places = re.findall(r"(?:path|exclude|init_from): *\S*/\S*",
                                    metadata["decavox.config"])
                self.assertEqual(places, [], name)

    def test_the_pages_say_what_was_measured(self):
        text = support.read_text(os.path.join(support.ROOT, "docs", "accuracy.md"))
        measured = results.read_results(os.path.join(support.ROOT, "checkpoints", "results"))
        for model in ("advanced", "lightweight"):
            result = measured["official_mfcc", model]
            row, = (line for line in text.splitlines()
                    if line.startswith(f"| accuracy, {model} ("))
            seeds = ", ".join(pages.percent(run["accuracy"]) for run in result["runs"])
            mean, deviation = (pages.percent(result["summary"][key])
                               for key in ("mean", "deviation"))
            self.assertIn(f" {seeds} %: mean {mean} ± {deviation} %", row)
        text = support.read_text(os.path.join(support.ROOT, "docs", "choosing-a-model.md"))
        for card in pages.read_cards(os.path.join(support.ROOT, "checkpoints")):
            accuracy = card["accuracy"][protocols.GENERAL_PROTOCOL]["accuracy"]
            row, = (line for line in text.splitlines()
                    if re.match(rf"{card['name']} .* {protocols.GENERAL_PROTOCOL}$", line))
            self.assertIn(f" {pages.percent(accuracy)} (", row)

    def test_models_are_as_good_as_their_cards_say(self):
        """The accuracy agrees to one clip of the 300, which rounding may switch."""
        data = os.environ.get("DECAVOX_DATA") or os.path.join(support.ROOT, "..", "shared", "data")
        fsdd = os.path.join(data, "fsdd")
        if not os.path.isdir(fsdd):
            self.skipTest(f"no recordings at {fsdd} (set DECAVOX_DATA)")
        folder = os.path.join(support.ROOT, "checkpoints")
        cards = pages.read_cards(folder)
        self.assertTrue(cards)
        for card in cards:
            with self.subTest(card["name"]):
                done = subprocess.run([support.release_binary(), "eval",
                                       os.path.join(folder, card["file"]["name"]), "--data", fsdd,
                                       "--split", "official", "--format", "json"],
                                      capture_output=True, text=True, env=support.environment())
                self.assertEqual(done.returncode, 0, done.stderr)
                measured, told = json.loads(done.stdout), card["accuracy"]["gsc_official"]
                self.assertEqual(measured["count"], told["count"])
                self.assertAlmostEqual(measured["correct"], told["correct"], delta=1)


if __name__ == "__main__":
    support.main()
