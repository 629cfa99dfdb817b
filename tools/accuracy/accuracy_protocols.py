"""The table of protocols that accuracy_tables.py measures, the data and their licences.

In arguments $fsdd, $gsc, $voices and $noises stand for the data, $advanced and the other members of
an ensemble for trained models, $start for the model with which a run begins, and $teacher for the
model from which it learns. In `config` $model stands for the model's name.
"""
import string
from dataclasses import dataclass, field, replace

SEEDS = (1, 2, 3)
FORMS = ("advanced", "efficient", "transformer", "lightweight", "ensemble")
FINE = tuple(f"{form}_fine" for form in FORMS)  # on frames 12.5 ms apart
GENERALS = (*FORMS, *FINE, "mini")  # the models of configs/general_*.yaml
TAUGHT = ("lightweight_fine", "mini")
TEACHER = "ensemble_fine"
SINGLE = ("lightweight", "advanced", "efficient", "transformer")
MEMBERS = ("advanced", "efficient", "transformer")  # members of an ensemble

MEL, MFCC = "configs/mel_$model.yaml", "configs/$model.yaml"
GENERAL, NOISE = "configs/general_$model.yaml", "configs/noisy_$model.yaml"
OFFICIAL = ("--data", "$fsdd", "--split", "official")
BY_SPEAKER = ("--data", "$fsdd", "--folds", "speaker")
VOICES = 'data.more=[{path: "$voices", split: train}]'
GSC_ALONE = ("--data", "$gsc", "--split", "train",
             "--set", "data.exclude=$gsc/suspect_labels.csv", "--set", VOICES)
VOICES_AND_GSC = ('data.more=[{path: "$voices", split: train}, '
                  '{path: "$gsc", split: train, exclude: "$gsc/suspect_labels.csv"}]')
KEPT_ASIDE = ("--data", "$gsc", "--exclude", "$gsc/suspect_labels.csv")  # speakers of its parts
OTHER_SPEAKERS = ("--data", "$gsc", "--set", "data.exclude=$gsc/suspect_labels.csv",
                  "--set", 'data.more=[{path: "$fsdd", split: official}, '
                           '{path: "$voices", split: train}]')

# Kinds of noise that no training may hear: the configurations name no folder of noises. The order
# is that in which a folder of them is read, which decides the noise of each clip.
NOISES = ("doing_the_dishes", "dude_miaowing", "exercise_bike", "running_tap")
RATIOS = (20, 10, 5, 0)  # dB
NOISY = (*OFFICIAL, "--noise", "$noises", "--snr", ",".join(map(str, RATIOS)))

START = ("--init_from", "$start")
TEACH = ("--teacher", "$teacher")


def members(model):
    """The members of an ensemble, () for another model."""
    end = {"ensemble": "", "ensemble_fine": "_fine"}.get(model)
    return () if end is None else tuple(member + end for member in MEMBERS)


def mix(model):
    """Arguments of an ensemble: it takes the trained models of its seed and fold, and only their
    mix is trained."""
    return ("--init_from", ",".join(f"{name}.=${name}" for name in members(model)),
            "--set", "train.freeze=[" + ", ".join(f'"{name}.*"' for name in members(model)) + "]",
            "--epochs", "3", "--learning_rate", "0.02")


# For the large models and long trainings. A step on a CPU with BF16 takes a fifth (advanced,
# efficient) or a quarter (transformer) less time, and is as accurate: the transformer on FSDD's
# official split, judged by training speakers of Speech Commands, has 91.55 %, and in FP32 91.57 %.
MIXED = ("--mixed_precision",)
LARGE = {form + end: MIXED for form in MEMBERS for end in ("", "_fine")}


def lasting(epochs, rate=None):
    return ("--epochs", str(epochs), *(("--learning_rate", str(rate)) if rate else ()))


# Trainings with which many others begin. The others have a third of the epochs and half the rate.
FIRST = {"lightweight": lasting(50), "advanced": (*MIXED, *lasting(25)),
         "efficient": (*MIXED, *lasting(12)), "transformer": (*MIXED, *lasting(16))}
THEN = {"lightweight": lasting(16, 0.0015), "advanced": (*MIXED, *lasting(8, 0.001)),
        "efficient": (*MIXED, *lasting(4, 0.001)), "transformer": (*MIXED, *lasting(5, 0.0005))}
LONGER = {model: lasting(20, 0.0015) for model in TAUGHT}

SYNTH = ("--voices", "140", "--takes", "3", "--seed", "1")  # makes $voices


@dataclass(frozen=True)
class Protocol:
    """One protocol. `kind` is train (a run per seed), crossval (all folds and seeds) or eval (the
    models of the protocol `of`). `more` has further arguments of single models. `start` is the
    protocol of kind train with whose model of the same seed a run begins; an ensemble begins with
    its members. `teacher` is the protocol whose TEACHER of the same seed teaches. `group` is a name
    on the command line that stands for several protocols."""
    name: str
    kind: str
    models: tuple
    title: str
    arguments: tuple
    config: str = ""
    more: dict = field(default_factory=dict)
    of: str = ""
    start: str = ""
    teacher: str = ""
    group: str = ""

    def data(self):
        """The names of the data sets in the arguments."""
        text = " ".join(self.arguments)
        return [name for name in DATA if f"${name}" in text or f"${{{name}}}" in text]


PROTOCOLS = (
    Protocol("official", "train", FORMS, "FSDD's official test clips, trained on FSDD alone",
             OFFICIAL, MEL),
    Protocol("official_mfcc", "train", FORMS, "FSDD's official test clips, trained on FSDD alone, "
             "with the default features, MFCC 13 x 32", OFFICIAL, MFCC),
    Protocol("loso", "crossval", SINGLE, "FSDD, leaving one speaker out, trained on FSDD alone",
             BY_SPEAKER, MEL,
             # The transformer, judged as above, has 91.55 % with 40 epochs and 92.42 % with 80.
             more={"efficient": MIXED, "transformer": (*MIXED, *lasting(80))}),
    Protocol("loso_voices", "crossval", SINGLE,
             "FSDD, leaving one speaker out, synthetic voices added",
             (*BY_SPEAKER, "--set", VOICES), MEL),
    Protocol("pretrained", "train", FORMS, "validation speakers of the Speech Commands digits, "
             "whose clips chose the epoch (no test), trained on the other speakers and synthetic "
             "voices", GSC_ALONE, GENERAL,
             more=FIRST),
    Protocol("cross_corpus", "eval", FORMS, "all of FSDD, by the models of pretrained, which have "
             "heard none of it", ("--data", "$fsdd", "--part", "all"), of="pretrained",
             group="pretrained"),
    Protocol("loso_gsc", "crossval", FORMS, "FSDD, leaving one speaker out, synthetic voices and "
             "the Speech Commands digits added, by the models of pretrained, trained on",
             (*BY_SPEAKER, "--set", "data.validation=0", "--set", VOICES_AND_GSC), GENERAL,
             more=THEN, start="pretrained"),
    Protocol("gsc", "train", GENERALS, "12 % of the Speech Commands digits' speakers, less their "
             "clips that are probably mislabelled, trained on the other speakers, FSDD's training "
             "part and synthetic voices", OTHER_SPEAKERS, GENERAL, more=LARGE),
    Protocol("gsc_all", "eval", GENERALS, "all clips of the same speakers, by the models of gsc",
             ("--data", "$gsc"), of="gsc", group="gsc"),
    Protocol("gsc_official", "eval", GENERALS, "FSDD's official test clips, by the models of gsc",
             OFFICIAL, of="gsc", group="gsc"),
    Protocol("untaught", "train", TAUGHT, "the clips of gsc, by its models, trained on for 20 "
             "epochs", OTHER_SPEAKERS, GENERAL, more=LONGER, start="gsc", group="teaching"),
    Protocol("taught", "train", TAUGHT, f"the same, with the {TEACHER} of gsc as teacher",
             (*OTHER_SPEAKERS, *TEACH), GENERAL, more=LONGER, start="gsc", teacher="gsc",
             group="teaching"),
    Protocol("noisy", "train", ("lightweight",),
             "FSDD's official test clips, trained on FSDD alone for noisy places", OFFICIAL, NOISE),
    Protocol("noise_official", "eval", FORMS, "FSDD's official test clips in noise, by the models "
             "of official", NOISY, of="official", group="noise"),
    Protocol("noise_noisy", "eval", ("lightweight",), "FSDD's official test clips in noise, by the "
             "models of noisy", NOISY, of="noisy", group="noise"),
    Protocol("noise_gsc", "eval", GENERALS, "FSDD's official test clips in noise, by the models of "
             "gsc", NOISY, of="gsc", group="noise"),
    Protocol("noise_untaught", "eval", TAUGHT, "FSDD's official test clips in noise, by the models "
             "of untaught", NOISY, of="untaught", group="noise"),
    Protocol("noise_taught", "eval", TAUGHT, "FSDD's official test clips in noise, by the models "
             "of taught", NOISY, of="taught", group="noise"),
)

GENERAL_PROTOCOL = "gsc"  # its models are shipped
SHIPPED_PRECISION = "fp16"
SHIPPED_SIZE = 12_000_000  # bytes at most


@dataclass(frozen=True)
class Data:
    folder: str  # below the data's folder; empty if decavox makes it
    shown: str   # its place in printed commands
    title: str
    licence: str
    attribution: str
    url: str


COMMANDS = "Speech Commands"
DATA = {
    "fsdd": Data("fsdd", "fsdd", "Free Spoken Digit Dataset", "CC BY-SA 4.0",
                 "Zohar Jackson and contributors",
                 "https://github.com/Jakobovski/free-spoken-digit-dataset"),
    "gsc": Data("gsc_digits", "gsc_digits", f"{COMMANDS}, the ten digits, less those that are "
                "probably mislabelled", "CC BY 4.0",
                'P. Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition",'
                " 2018", "https://arxiv.org/abs/1804.03209"),
    "voices": Data("", "voices", "synthetic voices", "made by `decavox synth`",
                   "spoken by espeak-ng", "https://github.com/espeak-ng/espeak-ng"),
    "noises": Data("noise", "noise", f"{COMMANDS}, background noise, for the noise curve alone",
                   "CC BY 4.0", "P. Warden, 2018", "https://arxiv.org/abs/1804.03209"),
}


def shown_noises():
    return ",".join(f"{DATA['noises'].shown}/{name}.flac" for name in NOISES)


def shown_values():
    """The values of $names in printed commands."""
    return {name: data.shown for name, data in DATA.items()} | {"noises": shown_noises()}


def fill(arguments, values):
    return [string.Template(argument).substitute(values) for argument in arguments]


def named(name):
    return next(p for p in PROTOCOLS if p.name == name)


def chosen(names, models=None):
    """The protocols of these names and groups, by default all, with only these models ("a,b") if
    any are given. Raises ValueError for an unknown name."""
    for name in names:
        if not any(name in (p.name, p.group) for p in PROTOCOLS):
            known = ", ".join(p.name for p in PROTOCOLS)
            raise ValueError(f"no protocol '{name}': {known}, noise")
    kept = [p for p in PROTOCOLS if not names or p.name in names or p.group in names]
    if models is None:
        return kept
    wanted = models.split(",")
    for model in wanted:
        if model not in GENERALS:
            raise ValueError(f"no model '{model}': {', '.join(GENERALS)}")
    kept = [replace(p, models=tuple(m for m in p.models if m in wanted)) for p in kept]
    return [p for p in kept if p.models]
