/* decavox augment: writes augmented training clips to listen to. */
#include "engine/base/folder.h"
#include "engine/base/text.h"
#include "frontends/audio/audio.h"
#include "frontends/batch/batch.h"
#include "runner/cli/command.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/output.h"
#include "runner/experiment/run_folder.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct augment_options {
    char out[DV_STRING_SIZE];
    int64_t count, step;
} augment_options;

static const dv_field fields[] = {
    DV_PATH(augment_options, out, DV_REQUIRED, "folder for the files; it is made if it is missing"),
    DV_INT(augment_options, count, "10", 1, 9999, "number of clips"),
    DV_INT(
        augment_options, step, "0", 0, INT32_MAX,
        "number of the training step whose random draws are taken; the training may give them to "
        "other clips"),
    DV_END,
};

static const dv_setting settings[] = {
    {"data", "data.path", NULL, "folder or manifest of the clips"},
    {"split", "data.split", NULL, DV_SPLIT_HELP},
    {"seed", "train.seed", NULL, "random seed of the draws"},
    {NULL, NULL, NULL, NULL},
};

static const char *const example_lines[] = {
    "decavox augment configs/mel_lightweight.yaml --data recordings --out heard",
    NULL,
};

static const dv_options options = {
    .command = "augment",
    .brief = "writes augmented training clips to listen to",
    .operands = "CONFIG",
    .summary =
        "Writes training clips as WAV after the random changes of the section 'augment', and "
        "prints "
        "what was drawn for each. Changes of spectra and features come later in a training and "
        "cannot be heard here: telephone, equalizer, warp, masks, mixup.",
    .examples = example_lines,
    .least = 1,
    .most = 1,
    .fields = fields,
    .settings = settings,
    .field_of = dv_experiment_field,
};

enum { PATH_SIZE = 2 * DV_STRING_SIZE };

/* The parts that examples are made of. */
typedef struct examples {
    augment_options chosen;
    dv_experiment experiment;
    dv_frontend *frontend;
    dv_augmenter *augmenter;
    dv_dataset dataset;
    int64_t *order; /* (clips) of the training part, shuffled */
    int64_t clips;
    float *window;
    void *scratch;
} examples;

/* Refuses a folder that holds the clips it reads. */
static dv_status check_out(const examples *all)
{
    const char *out = all->chosen.out;
    char folder[PATH_SIZE];
    for (size_t i = 0; i < all->dataset.count; i++) {
        const char *path = all->dataset.clips[i].path, *slash = strrchr(path, '/');
        snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 2,
                 slash != NULL ? path : "./");
        if (dv_same_file(folder, out))
            return DV_FAIL(DV_EARG, "--out: %s holds clips of the data; choose another folder",
                           out);
    }
    return dv_same_file(all->experiment.data.path, out)
               ? DV_FAIL(DV_EARG, "--out: %s is the data; choose another folder", out)
               : DV_OK;
}

/* Makes front-end and augmenter, reads the clips, and shuffles the training part by train.seed. */
static dv_status load(examples *all)
{
    const dv_experiment *experiment = &all->experiment;
    dv_log log = dv_command_log();
    if (experiment->data.path[0] == '\0')
        return DV_FAIL(DV_ECONFIG, "there are no data: give --data PATH, a folder of sound files "
                                   "or a manifest, or set data.path");
    DV_TRY(dv_frontend_create(&experiment->features, &all->frontend));
    DV_TRY(dv_augmenter_create(&experiment->augment, all->frontend, &all->augmenter));
    DV_TRY(dv_dataset_prepare(&experiment->data, &all->dataset));
    DV_TRY(check_out(all));
    DV_TRY(dv_dataset_load(&all->dataset, all->frontend, experiment->data.max_seconds, &log));
    DV_TRY(dv_dataset_part(&all->dataset, DV_PART_TRAIN, &all->order, &all->clips));
    if (all->clips == 0)
        return DV_FAIL(DV_EFORMAT, "there is no readable clip in the training part of the data");
    dv_rng rng = {.seed = (uint64_t)experiment->train.seed, .use = DV_RNG_SHUFFLE};
    dv_rng_shuffle(&rng, all->order, all->clips);
    size_t samples = (size_t)dv_frontend_samples(all->frontend);
    DV_TRY(dv_calloc(samples, sizeof *all->window, &all->window));
    size_t bytes = (dv_augment_scratch(all->augmenter) + 63) / 64 * 64;
    all->scratch = aligned_alloc(64, bytes);
    if (all->scratch == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", bytes);
    return DV_OK;
}

/* Prints a line: the file, the clip that it was made of, and the random draws. */
static void print_draws(const examples *all, const char *path, const dv_clip *clip,
                        const dv_augment_draws *draws)
{
    char text[DV_AUGMENT_TEXT_SIZE];
    printf("%s  from %s", dv_show(path).text, dv_show(clip->path).text);
    if (clip->length > 0)
        printf(" at %.3f s", clip->start);
    dv_augment_describe(all->augmenter, draws, text);
    printf(": %s\n", text);
}

/* Scales samples that are louder than a file can hold down to the loudest it can. */
static void limit_peak(float *samples, int64_t count)
{
    float peak = 1;
    for (int64_t i = 0; i < count; i++)
        peak = fabsf(samples[i]) > peak ? fabsf(samples[i]) : peak;
    for (int64_t i = 0; peak > 1 && i < count; i++)
        samples[i] /= peak;
}

static void file_path(const examples *all, int64_t number, const dv_clip *clip,
                      char path[PATH_SIZE])
{
    int length = snprintf(path, PATH_SIZE, "%s/", all->chosen.out);
    snprintf(path + length, (size_t)(PATH_SIZE - length), "%04" PRId64 "_%.100s.wav", number,
             all->dataset.labels[clip->label]);
    for (char *c = path + length; *c != '\0'; c++) /* a manifest's label may have any characters */
        *c = *c == '/' ? '_' : *c;
}

static dv_status write_example(const examples *all, int64_t number)
{
    const dv_clip *clip = &all->dataset.clips[all->order[number % all->clips]];
    char path[PATH_SIZE];
    dv_rng rng = {.seed = (uint64_t)all->experiment.train.seed,
                  .use = DV_RNG_AUGMENT,
                  .step = (uint64_t)all->chosen.step};
    dv_augment_draws draws;
    dv_augment_draw(all->augmenter, &rng, (uint32_t)number, &draws);
    dv_augment_window(all->augmenter, &rng, (uint32_t)number, &draws, clip->samples, clip->count,
                      clip->center, all->window, all->scratch);
    dv_audio audio = {.samples = all->window,
                      .count = dv_frontend_samples(all->frontend),
                      .sample_rate = dv_frontend_config(all->frontend)->sample_rate};
    limit_peak(audio.samples, audio.count);
    file_path(all, number, clip, path);
    DV_TRY(dv_output_write_sound(path, &audio));
    print_draws(all, path, clip, &draws);
    return DV_OK;
}

static dv_status write_examples(examples *all)
{
    DV_TRY(dv_output_check_sounds(all->chosen.out));
    DV_TRY(load(all));
    DV_TRY(dv_make_folders(all->chosen.out));
    for (int64_t i = 0; i < all->chosen.count; i++)
        DV_TRY(write_example(all, i));
    return DV_OK;
}

static void clean_up(examples *all)
{
    free(all->scratch);
    free(all->window);
    free(all->order);
    dv_dataset_free(&all->dataset);
    dv_augmenter_free(all->augmenter);
    dv_frontend_free(all->frontend);
    dv_experiment_free(&all->experiment);
}

static int run(int argc, char **argv)
{
    examples all = {0};
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &all.chosen, &arguments, &exit_code))
        return exit_code;
    dv_status status =
        dv_experiment_read(arguments.operands[0], arguments.overrides, &all.experiment);
    if (status == DV_OK)
        status = write_examples(&all);
    dv_arguments_free(&arguments);
    clean_up(&all);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("augment", status);
}

const dv_command dv_command_augment = {&options, run};
