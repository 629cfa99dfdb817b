"""Techniques of training by their options; a second training that begins where another ended."""
import os

import support
from support import GOOD, USAGE, decavox

FAILED = (1, 2)


class Techniques(support.Case):
    epochs = 4

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.first = os.path.join(cls.train_once(cls.at("first")), "model.safetensors")

    def train(self, name, *arguments, config=None):
        run = self.at(name)
        return run, decavox("train", config or self.config, "--data", self.data, "--out", run,
                            *arguments)

    def test_every_schedule(self):
        for name in ("cosine", "cosine_restarts", "step", "plateau", "one_cycle", "none"):
            run, done = self.train(f"schedule_{name}", "--scheduler", name, "--epochs", "3",
                                   "--set", "train.restart_epochs=1", "--set",
                                   "train.step_epochs=1", "--set", "train.warmup=0")
            self.ends(done, GOOD)
            rates = [float(row["learning_rate"]) for row in support.read_metrics(run)]
            self.assertEqual(len(rates), 3)
            if name == "none":
                self.assertEqual(rates, [0.01] * 3)
            if name == "step":
                self.assertEqual([round(rate, 6) for rate in rates], [0.01, 0.001, 0.0001])

    def test_all_at_once_and_resumed(self):
        options = ["--accumulate", "2", "--ema_decay", "0.9", "--class_weights", "balanced",
                   "--scheduler", "plateau", "--init_from", self.first,
                   "--set", "train.freeze=[\"conv_1.*\", \"norm_1.*\"]"]
        run, done = self.train("all", *options)
        self.ends(done, GOOD)
        self.assertIn("model.safetensors: 14 of 14 tensors loaded", done.out)
        # Without a checkpoint the run begins again from its configuration, and ends the same.
        model = support.read_bytes(os.path.join(run, "model.safetensors"))
        for name in ("last.safetensors", "model.safetensors", "report.json"):
            os.remove(os.path.join(run, name))
        again = self.ends(decavox("train", "--resume", run), GOOD)
        self.assertIn("14 of 14 tensors loaded", again.out)
        self.assertEqual(support.read_bytes(os.path.join(run, "model.safetensors")), model)
        # With its checkpoint nothing is left to do, and no other file is loaded.
        done = self.ends(decavox("train", "--resume", run), GOOD)
        self.assertNotIn("tensors loaded", done.out)
        self.assertEqual(support.read_bytes(os.path.join(run, "model.safetensors")), model)

    def test_other_words_and_features(self):
        words = support.make_data(self.at("words"))
        for name in os.listdir(words):
            os.rename(os.path.join(words, name), os.path.join(words, "w" + name))
        _, done = self.train("other_words", "--init_from", self.first, "--data", words, "--set",
                             "features.top_db=33", "--epochs", "1")
        self.ends(done, GOOD)
        self.assertIn("12 of 14 tensors loaded", done.out)
        self.assertIn("  not loaded, since the file has other labels than the data (2): "
                      "head.weight, head.bias\n", done.out)
        self.assertNotIn("in no file", done.out)  # each is told once
        self.assertRegex(done.out, r"  warning: trained with other features \(1\): top_db "
                                   r"\d+ \(now 33\)\n")
        _, done = self.train("frozen", "--init_from", self.first, "--data", words, "--set",
                             'train.freeze=["conv_1.*", "head.weight"]')
        self.ends(done, USAGE, "train.freeze keeps 'head.weight' as it is, but no loaded file "
                               "has given it a value")

    def test_another_model(self):
        text = support.read_text(self.config).replace("filters: 24", "filters: 20")
        config = support.write_text(self.at("other.yaml"), text)
        _, done = self.train("other", "--init_from", self.first, config=config)
        self.ends(done, GOOD)
        self.assertIn("7 of 14 tensors loaded", done.out)
        self.assertIn("  not loaded, since the shape or the type differs (7): ", done.out)
        self.assertNotIn("in no file", done.out)

    def test_refusals(self):
        _, done = self.train("refused_1", "--init_from", f"x.={self.first}")
        self.assertIn(done.code, FAILED)
        self.assertIn("nothing in it fits the model under the prefix x.", done.err)
        _, done = self.train("refused_2", "--set", "train.freeze=convolution*")
        self.ends(done, USAGE, "no parameter is called 'convolution*'")
        _, done = self.train("refused_3", "--set", "train.class_weights=[1, 2]")
        self.ends(done, USAGE, "2 weights for 4 labels")


if __name__ == "__main__":
    support.main()
