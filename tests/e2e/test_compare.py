"""`decavox compare` and `decavox recommend`: all formats, the figures' consistency, cached
measurements, limits that no model meets, and wrong use."""
import csv
import hashlib
import html.parser
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as xml

import support
from support import FAILED, GOOD, USAGE, decavox, write_text

SHIPPED = ["checkpoints/advanced_fine.safetensors", "checkpoints/lightweight.safetensors"]
USE_CASES = ["accuracy", "speed", "balanced", "production", "research", "ensemble"]
# A machine busy with other tests does not matter here; test_compare_runs.py tests that.
QUICK = ("--seconds", "0.001", "--keep_busy")

# Two fully connected layers on 32 x 32 features. Their multiply-adds are those of the matrices.
TINY = """\
model:
  name: tiny
  layers:
    - flatten:
    - linear: {units: 8, name: hidden}
    - linear: {units: classes, name: head}
features:
  type: mel
  n_mels: 32
"""


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.cells = [], []

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.cells.append(data.strip())


class Compare(support.Case):
    epochs = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train_once(cls.at("run"))
        cls.model = os.path.join(cls.run_folder, "model.safetensors")
        cls.tiny = write_text(cls.at("tiny.yaml"), TINY)
        cls.cache, cls.temporary = cls.at("cache"), cls.at("temporary")
        os.makedirs(cls.temporary)
        before = {name: os.environ.get(name) for name in ("XDG_CACHE_HOME", "TMPDIR")}
        os.environ.update(XDG_CACHE_HOME=cls.cache, TMPDIR=cls.temporary)
        cls.addClassCleanup(lambda: [os.environ.pop(name) if value is None
                                     else os.environ.__setitem__(name, value)
                                     for name, value in before.items()])

    def tearDown(self):
        self.assertEqual(os.listdir(self.temporary), [])

    def compare(self, *arguments, code=GOOD):
        return self.ends(decavox("compare", *QUICK, *arguments, timeout=300), code)

    def models(self, *arguments):
        done = self.compare("--format", "json", *arguments)
        models = json.loads(done.out)["models"]
        self.assertEqual([re.sub(", p50 .*", "", line) for line in done.err.splitlines()],
                         self.progress(models))
        return models

    def progress(self, models):
        """The lines of progress, one for each model that was measured now."""
        names = [model["model"] for model in models if not model["kept"]]
        return [f"measured {i + 1} of {len(names)}: {name}" for i, name in enumerate(names)]

    def files_kept(self):
        folder = os.path.join(self.cache, "decavox")
        return {name: support.read_bytes(os.path.join(folder, name)) for name in os.listdir(folder)}

    def make_card(self, name, correct, count, protocol="gsc", digest=None):
        """Makes a checkpoint of this name with a card."""
        path = self.at(name + ".safetensors")
        self.ends(decavox("export", self.model, "--out", path), GOOD)
        digest = digest or hashlib.sha256(support.read_bytes(path)).hexdigest()
        write_text(self.at(name + ".json"), json.dumps({
            "name": name, "file": {"sha256": digest},
            "training": {"protocol": protocol, "command": f"decavox train {name}.yaml"},
            "accuracy": {protocol: {"correct": correct, "count": count}}}))
        return path

    # ---- Figures ----

    def test_figures_of_a_configuration(self):
        model, = self.models(self.tiny, "--classes", "5")
        values = 32 * 32
        self.assertEqual(model["features"], [32, 32])
        self.assertEqual(model["parameters"], values * 8 + 8 + 8 * 5 + 5)
        self.assertAlmostEqual(model["mflops"], 2e-6 * (values * 8 + 8 * 5))
        self.assertEqual((model["trained"], model["file"], model["accuracy"]), (False, None, None))
        weights = values * 8 + 8 * 5
        saved = model["bytes_fp32"] - model["bytes_fp16"]
        self.assertLess(abs(saved - 2 * weights), 64)  # headers are aligned
        self.assertLess(0, model["latency_p50_us"])
        self.assertLessEqual(model["latency_p50_us"], model["latency_p99_us"])
        self.assertIn(model["throughput_batch"], [2**i for i in range(9)])
        # The best batch is not worse than clips one by one; timings of a millisecond are rough.
        self.assertLess(0.2 * 1e6 / model["latency_p50_us"], model["throughput_per_s"])
        self.assertTrue(1e6 < model["peak_memory_bytes"] < 1e9)
        self.assertTrue(0.1 < model["first_answer_ms"] < 60e3)
        self.assertLess(model["latency_p50_us"] / 2, model["answer_16_khz_us"])
        self.assertLess(0, model["answer_48_khz_us"])

    def test_sizes_are_those_of_files(self):
        f16, whole = self.at("f16.safetensors"), self.at("whole.safetensors")
        self.ends(decavox("export", self.model, "--out", f16, "--precision", "fp16"), GOOD)
        self.ends(decavox("export", self.model, "--out", whole), GOOD)
        full, small, going_on = self.models(self.model, f16, os.path.join(self.run_folder,
                                                                           "last.safetensors"))
        self.assertEqual(full["file"], "fp32")
        self.assertEqual(full["bytes_fp32"], os.path.getsize(self.model))
        self.assertEqual(full["bytes_fp16"], os.path.getsize(f16))
        self.assertEqual(small["file"], "fp16")
        self.assertEqual(small["bytes_fp16"], os.path.getsize(f16))
        self.assertEqual(small["bytes_fp32"], os.path.getsize(whole))
        self.assertIsNone(going_on["file"])  # it also has moments, which no model needs
        self.assertEqual(going_on["bytes_fp32"], os.path.getsize(whole))

    def test_shipped_models(self):
        for path, model in zip(SHIPPED, self.models(*SHIPPED)):
            with open(path.replace(".safetensors", ".json"), encoding="utf-8") as file:
                card = json.load(file)
            self.assertEqual(model["parameters"], card["parameters"])
            self.assertEqual(model["features"], card["shape"])
            self.assertEqual(model["file"], card["file"]["precision"])
            self.assertEqual(model["bytes_" + model["file"]], os.path.getsize(path))
            protocol = card["training"]["protocol"]
            told = card["accuracy"][protocol]
            self.assertEqual(model["accuracy"]["protocol"], protocol)
            self.assertEqual(model["accuracy"]["correct"], told["correct"])
            self.assertAlmostEqual(model["accuracy"]["accuracy"], told["accuracy"])
            for ours, theirs in zip(model["accuracy"]["interval_95"], told["interval_95"]):
                self.assertAlmostEqual(ours, theirs, 9)
        official = self.models(*SHIPPED, "--protocol", "gsc_official")
        self.assertEqual([m["accuracy"]["count"] for m in official], [300, 300])
        done = self.ends(decavox("compare", *SHIPPED, "--protocol", "none"), USAGE)
        card = SHIPPED[0].replace("safetensors", "json")
        self.assertIn(f"no model's card has the protocol 'none'; {card} has gsc, ", done.err)

    def test_all_of_them_without_a_name(self):
        """The limits are checked before any measurement."""
        done = self.ends(decavox("compare", "--protocol", "none"), USAGE)
        self.assertIn("no model's card has the protocol 'none'", done.err)
        done = self.ends(decavox("compare", "configs/mini.yaml", "--svg", "x.svg"), USAGE)
        self.assertIn("no model's accuracy is known", done.err)
        folder = self.at("elsewhere")
        os.makedirs(folder)
        done = decavox("compare", folder=folder)
        if done.code != GOOD:  # not installed either
            self.ends(done, FAILED, "there are no models to compare: neither checkpoints nor configurations are in configs")

    # ---- Formats ----

    def test_formats_agree(self):
        files = (SHIPPED[1], self.tiny)
        light, tiny = self.models(*files)
        table = self.compare(*files).out
        row = next(line for line in table.splitlines() if line.startswith("lightweight"))
        row = row.replace("!", "").split()
        self.assertEqual(row[1], str(light["parameters"]))
        self.assertEqual(row[3], f"{1e-6 * light['bytes_fp16']:.3f}*")
        self.assertEqual(row[5], f"{light['latency_p50_us']:.1f}")
        self.assertEqual(row[7], f"{light['answer_16_khz_us']:.1f}")
        self.assertEqual(row[8], f"{light['answer_48_khz_us']:.1f}")
        self.assertEqual(row[10], str(light["throughput_batch"]))
        self.assertEqual(row[13], f"{100 * light['accuracy']['accuracy']:.2f}")
        row = next(line for line in table.splitlines() if line.startswith("tiny")).split()
        self.assertEqual(len(row), 13)  # blank where no accuracy is known
        rows = list(csv.DictReader(io.StringIO(self.compare(*files, "--format", "csv").out)))
        self.assertEqual([r["model"] for r in rows], ["lightweight", "tiny"])
        self.assertEqual(int(rows[0]["bytes_fp16"]), light["bytes_fp16"])
        self.assertAlmostEqual(float(rows[1]["latency_p99_us"]), tiny["latency_p99_us"], 3)
        self.assertAlmostEqual(float(rows[1]["answer_48_khz_us"]), tiny["answer_48_khz_us"], 3)
        self.assertAlmostEqual(float(rows[0]["accuracy"]), light["accuracy"]["accuracy"], 6)
        self.assertEqual((rows[1]["protocol"], rows[1]["accuracy"], rows[1]["file"]), ("", "", ""))

    def test_page_and_picture(self):
        page, picture = self.at("page.html"), self.at("picture.svg")
        done = self.compare(SHIPPED[1], self.tiny, "--format", "html", "--out", page, "--svg",
                            picture)
        self.assertEqual(done.out, "")
        text = support.read_text(page)
        xml.fromstring(text.replace("<!DOCTYPE html>", "").replace("&#160;", " "))
        parser = Page()
        parser.feed(text)
        self.assertEqual(parser.links, [])  # nothing from elsewhere
        told = self.models(SHIPPED[1])[0]["accuracy"]
        low, high = told["interval_95"]
        self.assertIn(f"{100 * told['accuracy']:.2f} ({100 * low:.2f} to {100 * high:.2f})",
                      parser.cells)
        self.assertIn("Accuracy against latency", parser.cells)
        root = xml.parse(picture).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertEqual(len(root.findall(".//{*}circle")), 1)  # tiny has no accuracy
        alone = self.compare(self.tiny, "--format", "html").out
        self.assertNotIn("<svg", alone)

    # ---- Cards ----

    def test_card_of_another_file_is_not_believed(self):
        path = self.make_card("stranger", 9, 10, digest="0" * 64)
        done = self.ends(decavox("compare", *QUICK, path, "--format", "json"), GOOD,
                         "stranger.json", "another file")
        self.assertIsNone(json.loads(done.out)["models"][0]["accuracy"])
        write_text(self.at("stranger.json"), "{")
        done = self.ends(decavox("compare", *QUICK, path, "--format", "json"), GOOD, "no card")
        self.assertIsNone(json.loads(done.out)["models"][0]["accuracy"])

    # ---- The cache ----

    def test_measured_once(self):
        config = write_text(self.at("once.yaml"), TINY.replace("units: 8", "units: 9"))
        first, = self.models(config)
        kept = self.files_kept()
        begin = time.monotonic()
        second, = self.models(config)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual((first.pop("kept"), second.pop("kept")), (False, True))
        self.assertEqual(first, second)
        self.assertEqual(self.files_kept(), kept)
        self.assertIn("1 of 1 kept from before", self.compare(config).out)
        fresh, = self.models(config, "--fresh")
        self.assertEqual(fresh["kept"], False)
        self.assertEqual(self.files_kept().keys(), kept.keys())
        self.assertEqual(self.models(config, "--threads", "2")[0]["kept"], False)
        self.assertEqual(self.models(config, "--classes", "3")[0]["kept"], False)
        longer, = self.models(config, "--seconds", "0.002")  # the last one counts
        self.assertEqual(longer["kept"], False)
        self.assertEqual(self.models(config)[0]["kept"], True)
        write_text(config, TINY.replace("units: 8", "units: 10"))
        self.assertEqual(self.models(config)[0]["kept"], False)

    def test_another_module_is_another_program(self):
        module = os.path.join(os.path.dirname(support.binary()), "libdecavox_cudasim.so")
        if not os.path.exists(module):
            self.skipTest("the module of the simulated device is not built")
        folder = self.at("modules")
        os.makedirs(folder)
        copy = shutil.copy(module, folder)
        os.environ["DECAVOX_MODULE_PATH"] = folder
        self.addCleanup(os.environ.pop, "DECAVOX_MODULE_PATH")
        arguments = [self.tiny, "--device", "cudasim"]
        self.assertIn("cudasim, 1 thread: simulated", self.compare(*arguments).out)
        self.assertEqual(self.models(*arguments)[0]["kept"], True)
        with open(copy, "ab") as file:
            file.write(b"\0")  # behind the loaded part
        self.assertEqual(self.models(*arguments)[0]["kept"], False)

    def test_unreadable_cache_is_replaced(self):
        config = write_text(self.at("broken.yaml"), TINY.replace("units: 8", "units: 11"))
        before = set(self.files_kept()) if os.path.isdir(self.cache) else set()
        self.models(config)
        name, = set(self.files_kept()) - before
        path = os.path.join(self.cache, "decavox", name)
        good = json.loads(support.read_text(path))
        other = dict(good, program="decavox of yesterday")
        part = dict(good, figures={k: v for k, v in good["figures"].items() if k != "macs"})
        wrong = dict(good, figures=dict(good["figures"], latency_p50_s="fast"))
        for content in ["", "{", "[]", "null", json.dumps(other), json.dumps(part),
                        json.dumps(wrong)]:
            write_text(path, content)
            self.assertEqual(self.models(config)[0]["kept"], False, content)
            self.assertEqual(json.loads(support.read_text(path)).keys(), good.keys())
            self.assertEqual(self.models(config)[0]["kept"], True)

    def test_cache_that_cannot_be(self):
        os.environ["XDG_CACHE_HOME"] = write_text(self.at("no folder"), "")
        try:
            done = self.compare(self.tiny)
            self.assertIn("the measurements are not kept", done.err)
            self.assertIn("\ntiny ", done.out)
        finally:
            os.environ["XDG_CACHE_HOME"] = self.cache

    # ---- Recommendations ----

    def recommend(self, use_case, *arguments, code=GOOD):
        done = self.ends(decavox("recommend", "--use_case", use_case, *QUICK, "--format", "json",
                                 *arguments), code)
        return json.loads(done.out)

    def test_recommendations_follow_from_the_figures(self):
        files = [self.make_card("good", 990, 1000), self.make_card("fair", 950, 1000), self.tiny]
        models = {m["model"]: m for m in self.models(*files)}
        p50 = {name: m["latency_p50_us"] for name, m in models.items()}
        wrong = {"good": 10, "fair": 50}
        balance = {name: p50[name] * (wrong[name] + 0.5) / 1001 for name in wrong}
        wanted = {"accuracy": "good", "speed": min(p50, key=p50.get),
                  "balanced": min(balance, key=balance.get), "production": "good"}
        for use_case, name in wanted.items():
            answer = self.recommend(use_case, *files)
            self.assertEqual(answer["recommended"]["model"], name, use_case)
            self.assertEqual(answer["recommended"]["latency_p50_us"], p50[name])
            self.assertIsNone(answer["nearest"])
        answer = self.recommend("accuracy", *files)
        self.assertEqual(answer["runner_up"]["model"], "fair")
        self.assertEqual(answer["protocol"], "gsc")
        self.assertEqual(answer["commands"], {
            "train": "decavox train good.yaml", "use": f"decavox predict {files[0]} FILE..."})
        self.assertIsNone(self.recommend("production", *files)["runner_up"])

    def test_research_and_ensembles(self):
        former = write_text(self.at("former.yaml"), """\
model:
  layers:
    - frames:
    - encoder: {units: 16, heads: 2, feed_forward: 16}
    - global_avgpool:
    - linear: {units: classes}
features: {type: mel, n_mels: 16}
""")
        good = self.make_card("plain", 99, 100)
        answer = self.recommend("research", good, former)
        self.assertEqual(answer["recommended"]["path"], former)
        self.assertIsNone(answer["recommended"]["accuracy"])
        mixed = write_text(self.at("mixed.yaml"), """\
model:
  layers:
    - ensemble:
        models:
          - {name: a, layers: [{flatten: }, {linear: {units: classes}}]}
          - {name: b, layers: [{flatten: }, {linear: {units: classes}}]}
features: {type: mel, n_mels: 16}
""")
        answer = self.recommend("ensemble", good, mixed, code=FAILED)
        self.assertEqual((answer["recommended"], answer["nearest"]["model"]), (None, "mixed"))
        self.assertEqual(answer["miss"], "no accuracy is known by gsc")
        answer = self.recommend("accuracy", mixed, former, code=FAILED)
        self.assertEqual(answer["miss"], "no accuracy is known")

    def test_limits(self):
        files = [self.make_card("sound", 990, 1000), self.tiny]
        for spelling in ("--max-latency-ms", "--max_latency_ms"):
            answer = self.recommend("speed", spelling, "0.000001", *files, code=FAILED)
            self.assertIn("instead of at most 0.00 us", answer["miss"])
            self.assertIsNone(answer["recommended"])
        answer = self.recommend("accuracy", "--min-accuracy", "99.5", *files, code=FAILED)
        self.assertEqual(answer["nearest"]["model"], "sound")
        self.assertEqual(answer["miss"], "accuracy 99.00 % instead of at least 99.5 %")
        for least in ("0.99", "99"):
            answer = self.recommend("speed", "--min_accuracy", least, *files)
            self.assertEqual(answer["recommended"]["model"], "sound")
        size = self.models(files[0])[0]["bytes_fp32"]
        self.recommend("accuracy", "--max-size-mb", str(1e-6 * size + 1e-6), *files)
        answer = self.recommend("accuracy", "--max-size-mb", str(1e-6 * size - 1e-6), *files,
                                code=FAILED)
        self.assertEqual(answer["nearest"]["model"], "sound")
        text = self.ends(decavox("recommend", "--use_case=accuracy", "--min_accuracy=0.995",
                                 *QUICK, *files), FAILED).out
        self.assertIn("accuracy: none of 2 models will do", text)
        self.assertIn("nearest    sound", text)

    def test_compare_recommends_too(self):
        files = [self.make_card("both", 9, 10), self.tiny]
        self.compare(*files)
        for use_case in ("speed", "accuracy"):
            one = decavox("recommend", "--use_case", use_case, *QUICK, *files)
            other = decavox("compare", "--use_case", use_case, *QUICK, *files)
            self.assertEqual((one.code, one.out), (GOOD, other.out))
        self.assertIn("balanced: both", decavox("recommend", *QUICK, *files).out)

    def test_help_tells_the_rules(self):
        words = " ".join(self.ends(decavox("recommend", "--help"), GOOD).out.split())
        card = self.make_card("ruled", 9, 10)
        for use_case in USE_CASES:
            rule = json.loads(decavox("recommend", "--use_case", use_case, *QUICK, "--format",
                                      "json", card).out)["rule"]
            self.assertIn(f"{use_case} {rule}", words)

    # ---- Wrong use ----

    def test_wrong_use(self):
        self.ends(decavox("recommend", "--use_case", "acuracy"), USAGE, "use_case", "acuracy")
        self.ends(decavox("recommend", "--use_case", "none"), USAGE, "use_case")
        self.ends(decavox("compare", "--max-size-mb", "3", self.tiny), USAGE, "--use_case")
        self.ends(decavox("compare", "--use_case", "speed", "--format", "csv", self.tiny), USAGE,
                  "json")
        self.ends(decavox("compare", "--format", "xml"), USAGE, "format")
        self.ends(decavox("compare", "--device", "abacus", self.tiny), USAGE, "abacus")
        self.ends(decavox("compare", "--measure_model", "x"), USAGE, "6 arguments")

    def test_files_that_are_none(self):
        missing = self.at("missing.safetensors")
        for command in ("compare", "recommend"):
            self.ends(decavox(command, missing), FAILED, missing)
        self.ends(decavox("compare", self.at("missing.yaml")), FAILED, "missing.yaml")
        broken = write_text(self.at("broken.safetensors"), "no checkpoint")
        self.ends(decavox("compare", *QUICK, broken), FAILED, broken)
        wrong = write_text(self.at("wrong.yaml"), TINY.replace("linear: {units: 8", "lin: {units: 8"))
        self.ends(decavox("compare", *QUICK, wrong), USAGE, "lin")
        out = os.path.join(self.at("nowhere"), "x.json")
        self.ends(decavox("compare", *QUICK, self.tiny, "--out", out), FAILED, out)

    def test_interrupted(self):
        """Temporary files are removed; see tearDown."""
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen([support.binary(), "compare", "--fresh", "--seconds", "30",
                                        self.tiny], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env=support.environment())
            while not os.listdir(self.temporary):
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            time.sleep(0.3)
            process.send_signal(number)
            out, _ = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out), (128 + number, b""))
            self.assertEqual(os.listdir(self.temporary), [])


if __name__ == "__main__":
    support.main()
