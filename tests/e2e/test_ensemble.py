"""One checkpoint of several trained models answers with the mixture of their logits."""
import json
import math
import os
import shutil

import support
from support import FAILED, GOOD, USAGE, decavox, read_bytes, read_tensors

SPLIT = ["--split", "speaker", "--set", "data.validation=0.34", "--set", "data.test=0.34"]
SPEAKERS = ("ann", "bob", "cid")


class Ensemble(support.Case):
    epochs = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.voices = support.make_data(cls.at("voices"), speakers=SPEAKERS, count=6)
        for name in os.listdir(cls.voices):  # 8, 9, 10, in numeric order
            label, speaker, index = name.removesuffix(".wav").split("_")
            os.rename(os.path.join(cls.voices, name),
                      os.path.join(cls.voices, f"{label}_{speaker}_{int(index) + 8}.wav"))
        cls.models = []
        for seed in (1, 2, 3):
            cls.train(f"run{seed}", "--seed", str(seed))
            cls.models.append(cls.at(f"run{seed}", "model.safetensors"))

    @classmethod
    def train(cls, run, *more):
        return cls.train_once(cls.at(run), "--data", cls.voices, *SPLIT, *more)

    def make(self, *arguments, code=GOOD, parts=()):
        out = self.at(f"out{len(os.listdir(self.folder))}.safetensors")
        done = self.ends(decavox("ensemble", *arguments, "--data", self.voices, "--out", out,
                                 "--format", "json"), code, *parts)
        return out, json.loads(done.out) if code == GOOD else None, done

    def answers(self, model, part="validation"):
        """Evaluates a model. Returns {file: (truth, logits)} and the evaluation."""
        done = self.ends(decavox("eval", model, "--data", self.voices, "--part", part, "--format",
                                 "json", "--clips"), GOOD)
        told = json.loads(done.out)
        return {os.path.basename(clip["file"]): (clip["truth"], clip["logits"])
                for clip in told["clips"]}, told

    def test_answers_are_the_mixture(self):
        out, told, done = self.make(*self.models)
        self.assertEqual(done.err, "")
        shares = [member["share"] for member in told["members"]]
        self.assertAlmostEqual(sum(shares), 1)
        self.assertGreater(min(shares), 0)
        self.assertEqual([member["name"] for member in told["members"]],
                         ["small", "small_2", "small_3"])
        for part in ("validation", "test"):
            mixed, evaluation = self.answers(out, part)
            single = [self.answers(model, part)[0] for model in self.models]
            self.assertEqual(len(mixed), len(single[0]))
            for file, (_, logits) in mixed.items():
                for k, logit in enumerate(logits):
                    expected = sum(share * answers[file][1][k]
                                   for share, answers in zip(shares, single))
                    self.assertAlmostEqual(logit, expected, delta=1e-4)
            if part == "validation":
                self.assertAlmostEqual(evaluation["loss"], told["ensemble"]["loss"], places=5)
                self.assertAlmostEqual(evaluation["accuracy"], told["ensemble"]["accuracy"])
                self.assertEqual(told["clips"], len(mixed))

    def test_shares_are_the_best_ones(self):
        """The shares have less loss, the prior included, than any nearby shares and than equal
        ones."""
        _, told, _ = self.make(*self.models[:2])
        single = [self.answers(model)[0] for model in self.models[:2]]
        labels = sorted({truth for truth, _ in single[0].values()})

        def objective(share):
            value = -0.01 * (math.log(share) + math.log(1 - share))
            for file, (truth, logits) in single[0].items():
                mixed = [share * a + (1 - share) * b for a, b in zip(logits, single[1][file][1])]
                value += math.log(sum(map(math.exp, mixed))) - mixed[labels.index(truth)]
            return value
        share = told["members"][0]["share"]
        for other in (share - 0.01, share + 0.01, 0.5):
            if 0 < other < 1 and abs(other - share) > 1e-3:
                self.assertLess(objective(share), objective(other))

    def test_weights_are_the_members_to_the_bit(self):
        out, _, _ = self.make(self.models[0], self.models[2])
        tensors, metadata = read_tensors(out)
        for model, prefix in ((self.models[0], "small."), (self.models[2], "small_2.")):
            for name, tensor in read_tensors(model)[0].items():
                self.assertEqual(tensors.pop(prefix + name), tensor)
        self.assertEqual(list(tensors), ["mix.weight"])
        self.assertNotIn(self.folder, metadata["decavox.config"])
        self.assertIn("small.=model.safetensors,small_2.=model.safetensors",
                      metadata["decavox.config"])
        again, _, _ = self.make(self.models[0], self.models[2])
        self.assertEqual(read_bytes(out), read_bytes(again))

    def test_a_member_may_be_an_ensemble(self):
        both, inner, _ = self.make(*self.models[:2])
        out, outer, _ = self.make(both, self.models[2])
        tensors, _ = read_tensors(out)
        self.assertIn("ensemble.small_2.head.weight", tensors)
        self.assertIn("ensemble.mix.weight", tensors)
        share = outer["members"][0]["share"]
        shares = [share * member["share"] for member in inner["members"]]
        shares.append(outer["members"][1]["share"])
        mixed, _ = self.answers(out, "test")
        single = [self.answers(model, "test")[0] for model in self.models]
        for file, (_, logits) in mixed.items():
            for k, logit in enumerate(logits):
                expected = sum(part * answers[file][1][k] for part, answers in zip(shares, single))
                self.assertAlmostEqual(logit, expected, delta=1e-4)

    def test_a_training_that_goes_on_gives_its_best_weights(self):
        last = self.at("run1", "last.safetensors")
        self.assertTrue(os.path.exists(last))
        out, _, _ = self.make(last, self.models[1])
        other, _, _ = self.make(self.models[0], self.models[1])
        self.assertEqual(read_tensors(out)[0], read_tensors(other)[0])

    def test_text(self):
        out = self.at("text.safetensors")
        done = self.ends(decavox("ensemble", *self.models, "--data", self.voices, "--out", out),
                         GOOD)
        self.assertRegex(done.out, r"^17 clips of the validation part of ")
        for line in (r"\nsmall +0\.\d{4} +\d+\.\d\d% +\d", r"\nsmall_3 +0\.", r"\nequal shares +\d",
                     r"\nensemble +\d+\.\d\d% ", r"\nmodel: .*text\.safetensors\n$"):
            self.assertRegex(done.out, line)
        self.ends(decavox("predict", out, os.path.join(self.voices, "0_ann_8.wav")), GOOD)
        info = self.ends(decavox("info", out), GOOD)
        self.assertIn("small_3.conv_1", info.out)

    def test_shares_that_are_given_need_no_data(self):
        """Fitted shares make the same file again, in FP16 as `export` does."""
        fitted, told, _ = self.make(*self.models)
        shares = ",".join(repr(member["share"]) for member in told["members"])
        again, half = self.at("given.safetensors"), self.at("given_half.safetensors")
        done = self.ends(decavox("ensemble", *self.models, "--shares", shares, "--out", again,
                                 "--format", "json"), GOOD)
        self.assertEqual(read_bytes(again), read_bytes(fitted))
        self.assertEqual(json.loads(done.out), {"model": again, "members": [
            {key: member[key] for key in ("name", "checkpoint", "share")}
            for member in told["members"]]})
        done = self.ends(decavox("ensemble", *self.models, "--shares", shares, "--out", half,
                                 "--file_precision", "fp16"), GOOD)
        self.assertRegex(done.out, r"^member +share\nsmall +0\.\d{4}\nsmall_2 +0\.\d{4}\n"
                                   r"small_3 +0\.\d{4}\nmodel: .*given_half\.safetensors\n$")
        exported = self.at("exported.safetensors")
        self.ends(decavox("export", fitted, "--precision", "fp16", "--out", exported), GOOD)
        self.assertEqual(read_bytes(half), read_bytes(exported))
        self.assertLess(len(read_bytes(half)), len(read_bytes(again)))

    def test_shares_that_are_none(self):
        for shares, told in (("0.5", "--shares: there must be one for each of 2 members, and there are 1"),
                             ("0.3,0.3,0.4", "--shares: there must be one for each of 2 members, and there are 3"),
                             ("0.5,0.6", "--shares: their sum is 1.1, must be 1"),
                             ("1.5,-0.5", "--shares: '-0.5' is not a number above 0"),
                             ("1,0", "--shares: '0' is not a number above 0"),
                             ("nan,0.5", "--shares: 'nan' is not a number above 0"),
                             ("0.5,", "--shares: '' is not a number above 0"),
                             ("", "--shares: '' is not a number above 0")):
            self.refuse("--shares", shares, told=told)
        for option in (["--data", self.voices], ["--split", "random"], ["--part", "test"]):
            self.refuse("--shares", "0.5,0.5", *option, told=f"{option[0]} has no effect with "
                        "--shares: it says which clips decide the shares")
        self.refuse("--file_precision", "fp15", told="--file_precision")

    def refuse(self, *arguments, told):
        out = self.at("refused.safetensors")
        self.ends(decavox("ensemble", *self.models[:2], *arguments, "--out", out), USAGE, told)
        self.assertFalse(os.path.exists(out))

    def test_a_member_that_has_learnt_the_clips_is_told_of(self):
        self.train("other", "--split", "train", "--set", "data.validation=0")
        other = self.at("other", "model.safetensors")
        _, _, done = self.make(self.models[0], other)
        self.assertRegex(done.err, r"warning: \S*other/model.safetensors was trained on 17 of the "
                                   r"clips that decide the shares")
        self.assertIn("of the clips that test the ensemble", done.err)
        self.assertEqual(done.err.count("warning"), 2)

    def test_what_was_learnt_of_further_data_is_told_of(self):
        other = support.make_data(self.at("further"), speakers=SPEAKERS, count=6)
        self.train_once(self.at("more"), "--data", other, *SPLIT, "--set",
                        f"data.more=[{{path: {self.voices}, split: train}}]")
        _, _, done = self.make(self.models[0], self.at("more", "model.safetensors"), "--split",
                               "speaker")
        self.assertIn("data.more", done.err)

    def test_other_data_of_the_same_names_are_not_taken_for_these(self):
        other = support.make_data(self.at("others"), speakers=SPEAKERS, count=6)
        self.train_once(self.at("elsewhere"), "--data", other, "--split", "train", "--set",
                        "data.validation=0")
        done = self.ends(decavox("ensemble", self.models[0],
                                 self.at("elsewhere", "model.safetensors"), "--out",
                                 self.at("own_data.safetensors")), GOOD)
        self.assertEqual(done.err, "")

    def test_what_does_not_fit_is_refused(self):
        first = self.models[0]
        self.train("hop", "--set", "features.hop=200")
        self.make(first, self.at("hop", "model.safetensors"), code=FAILED,
                  parts=("features.hop is 200 in", "and 256 in"))
        three = support.make_data(self.at("three"), digits=3, speakers=SPEAKERS, count=6)
        self.train_once(self.at("fewer"), "--data", three, *SPLIT)
        self.make(first, self.at("fewer", "model.safetensors"), code=FAILED,
                  parts=("has 3 classes", "has 4"))
        named = self.at("named")
        shutil.copytree(self.voices, named)
        for name in os.listdir(named):
            if name.startswith("3_"):
                os.rename(os.path.join(named, name), os.path.join(named, "x" + name[1:]))
        self.train_once(self.at("renamed"), "--data", named, *SPLIT)
        self.make(first, self.at("renamed", "model.safetensors"), code=FAILED,
                  parts=("class 3 is 'x' in", "'3' in"))
        self.make(first, code=USAGE)
        self.make(*[first] * 9, code=USAGE)
        self.ends(decavox("ensemble", *self.models, "--data", self.voices), USAGE, "--out")

    def test_data_without_such_a_part_are_refused(self):
        self.ends(decavox("ensemble", *self.models, "--data", self.voices, "--split", "train",
                          "--part", "test", "--out", self.at("no.safetensors")), USAGE,
                  "the test part of", "split train, has no clip", "--part")
        self.assertFalse(os.path.exists(self.at("no.safetensors")))

    def test_no_input_is_replaced(self):
        before = read_bytes(self.models[1])
        self.ends(decavox("ensemble", *self.models, "--data", self.voices, "--out",
                          self.models[1], "--force"), USAGE, "--out")
        self.assertEqual(read_bytes(self.models[1]), before)
        lines = ["path,label,speaker"]
        for name in sorted(os.listdir(self.voices)):
            label, speaker, _ = name.split("_")
            lines.append(f"{os.path.join(self.voices, name)},{label},{speaker}")
        manifest = support.write_text(self.at("list.csv"), "\n".join(lines) + "\n")
        self.train_once(self.at("listed"), "--data", manifest, *SPLIT)
        before = read_bytes(manifest)
        self.ends(decavox("ensemble", self.at("listed", "model.safetensors"), self.models[0],
                          "--out", manifest, "--force"), USAGE, "an input is never replaced")
        self.assertEqual(read_bytes(manifest), before)

    def test_what_could_not_be_read_again_is_not_written(self):
        model = self.models[0]
        for depth in range(8):
            out = self.at(f"deep{depth}.safetensors")
            done = decavox("ensemble", model, self.models[1], "--data", self.voices, "--out", out)
            if done.code != GOOD:
                break
            self.ends(decavox("info", out), GOOD)
            model = out
        self.assertIn("nested deeper than 32 levels", done.err)
        self.assertFalse(os.path.exists(out))

    def test_shipped_models_by_name(self):
        """Shipped models answer other clips with their own labels."""
        ten = support.make_data(self.at("ten"), digits=10, speakers=SPEAKERS, count=2)
        out = self.at("shipped.safetensors")
        self.ends(decavox("ensemble", "transformer_fine", "advanced_fine", "--data", ten,
                          "--split", "random", "--part", "train", "--out", out, timeout=300), GOOD)
        tensors, _ = read_tensors(out)
        self.assertIn("transformer_fine.head.weight", tensors)
        self.assertIn("advanced_fine.head.weight", tensors)


if __name__ == "__main__":
    support.main()
