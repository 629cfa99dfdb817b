"""Models for sherpa-onnx's audio tagger: the front-end `ced`, `decavox export --input log_mel`, the
labels. tests/clients/export_sherpa.py tests sherpa-onnx itself."""
import glob
import os
import shutil

import support
from support import FAILED, GOOD, USAGE, change_metadata, decavox, read_bytes, read_text, write_text

LABELS = 'index,mid,display_name\n0,0,"0"\n1,1,"1"\n2,2,"2"\n3,3,"3"\n'
STEP = ("--epochs", "1", "--batch_size", "8", "--set", "train.max_steps=1")


class Ced(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.trained("ced", "--features", "ced")

    @classmethod
    def trained(cls, name, *more):
        return os.path.join(cls.train_once(cls.at(name), *STEP, *more), "model.safetensors")

    def changed(self, name, key, *changes):
        """Writes the model with other words in a text of its metadata."""
        path = shutil.copy(self.model, self.at(name + ".safetensors"))

        def change(text):
            for old, new in changes:
                self.assertIn(old, text)
                text = text.replace(old, new)
            return text

        change_metadata(path, key, change)
        return path

    def export(self, model, *more, name="out.onnx"):
        out = self.at(name)
        if os.path.exists(out):
            os.remove(out)
        return out, decavox("export", model, "--out", out, *more)

    def test_the_input(self):
        out, done = self.export(self.model, "--input", "log_mel")
        program = read_bytes(self.ends(done, GOOD) and out)
        for name in (b"log_mel", b"frames", b"batch", b"probabilities", b"front_end/window/Gather",
                     b"front_end/decibels/ReduceMax"):
            self.assertIn(name, program)
        for name in (b"samples", b"front_end/transform", b"front_end/mel"):
            self.assertNotIn(name, program)
        _, done = self.export(self.model, "--input", "log_mel", "--batch", "1", "--precision",
                              "fp16")
        self.ends(done, GOOD)
        _, done = self.export(self.model, "--input", "fbank")
        self.ends(done, USAGE, "fbank", "audio, features, log_mel")

    def test_other_front_ends(self):
        """Windows from the beginning, and the features mel and mfcc."""
        start = self.changed("start", "decavox.config", ("placement: middle", "placement: start"))
        out, done = self.export(start, "--input", "log_mel")
        self.ends(done, GOOD)
        self.assertIn(b"front_end/window/Slice", read_bytes(out))
        mfcc = self.trained("mfcc", "--features", "ced", "--set", "features.type=mfcc")
        out, done = self.export(mfcc, "--input", "log_mel")
        self.ends(done, GOOD)
        self.assertIn(b"front_end/cepstrum", read_bytes(out))

    def test_what_is_refused(self):
        refused = {
            self.changed("energy", "decavox.config", ("placement: middle", "placement: energy")):
                "placement has to be middle or start, not energy, since the word is found in "
                "samples, not in bands",
            self.changed("rms", "decavox.config", ("level: none", "level: rms")):
                "level has to be none, since the level of a clip is set in its samples",
            self.trained("spectrogram", "--features", "ced", "--feature_type", "spectrogram"):
                "type has to be fbank, mel or mfcc, not spectrogram",
        }
        for model, message in refused.items():
            out, done = self.export(model, "--input", "log_mel", "--labels", self.at("none.csv"))
            self.ends(done, USAGE, "this model cannot have the input log_mel; export it with the input "
                      "audio, or train one with the front-end ced: features: " + message)
            self.assertFalse(os.path.exists(out))
            self.assertFalse(os.path.exists(self.at("none.csv")))
            self.ends(self.export(model)[1], GOOD)

    def test_labels(self):
        path = self.at("labels.csv")
        for name in ("out.onnx", "out.safetensors", "out.onnx"):  # the same file again
            self.ends(self.export(self.model, "--labels", path, name=name)[1], GOOD)
            self.assertEqual(read_text(path), LABELS)
        # sherpa-onnx reads up to the second comma, and then between the outer quotes.
        words = self.changed("words", "decavox.labels", ('"0"', "'a, \"b\"'"), ('"1"', "صفر"))
        self.ends(self.export(words, "--labels", path)[1], GOOD)
        self.assertEqual(read_text(path).splitlines()[1:3], ['0,0,"a, "b""', '1,1,"صفر"'])

    def test_where_labels_go(self):
        out, done = self.export(self.model, "--labels", self.at("out.onnx"))
        self.ends(done, USAGE, "the options --out and --labels name the same file")
        self.assertFalse(os.path.exists(out))
        self.ends(self.export(self.model, "--labels", self.model)[1], USAGE,
                  "--labels: ", "is the checkpoint itself")
        report = os.path.join(os.path.dirname(self.model), "report.json")
        self.ends(self.export(self.model, "--labels", report)[1], USAGE, "the state of a run")
        self.ends(self.export(self.model, "--labels", self.at("no", "x.csv"))[1], FAILED, "no/x")
        mine = write_text(self.at("mine.csv"), "file,label\n")
        out, done = self.export(self.model, "--labels", mine)
        self.ends(done, FAILED, "not labels that decavox wrote", "--force")
        self.assertFalse(os.path.exists(out))
        self.assertEqual(read_text(mine), "file,label\n")
        self.ends(self.export(self.model, "--labels", mine, "--force")[1], GOOD)
        self.assertEqual(read_text(mine), LABELS)

    def test_every_configuration(self):
        configs = sorted(glob.glob(os.path.join(support.ROOT, "configs", "ced_*.yaml")))
        self.assertEqual(len(configs), 5)
        for config in configs:
            run = self.at(os.path.basename(config))
            done = decavox("train", config, "--data", self.data, "--out", run, *STEP,
                           folder=support.ROOT, timeout=300)
            self.ends(done, GOOD)
            self.assertIn("features 64 x 100", done.out)
            _, done = self.export(os.path.join(run, "model.safetensors"), "--input", "log_mel")
            self.ends(done, GOOD)


if __name__ == "__main__":
    support.main()
