/* Runs exported files in the runtimes that they are for. */
#include "runner/export/verify.h"
#include "engine/base/process.h"
#include "engine/base/rng.h"
#include "engine/base/temporary.h"
#include "frontends/audio/audio.h"
#include "frontends/audio/sound_folder.h"
#include "frontends/model/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SOUNDS = 100, NOISES = 20, PATH_SIZE = 1024, LONGEST = 60 /* s */ };

static const double most = 1e-3, most_of_half = 2e-2; /* differences of a probability */

/*
 * Reads arrays from a file, each its number of axes, their sizes and FP32 values, and prints the
 * runtime's name and the probabilities of each.
 */
static const char script[] =
    "import struct, sys\n"
    "form, model, arrays = sys.argv[1:]\n"
    "try:\n"
    "    import numpy\n"
    "    if form == 'onnx':\n"
    "        import onnxruntime as runtime\n"
    "        print('runtime ONNX Runtime', runtime.__version__)\n"
    "        session = runtime.InferenceSession(model, providers=['CPUExecutionProvider'])\n"
    "        name = session.get_inputs()[0].name\n"
    "        answer = lambda x: session.run(None, {name: x})[0]\n"
    "    else:\n"
    "        import torch as runtime\n"
    "        print('runtime PyTorch', runtime.__version__)\n"
    "        module = runtime.jit.load(model) if form == 'torchscript' else \\\n"
    "            runtime.export.load(model).module()\n"
    "        answer = lambda x: module(runtime.from_numpy(x))[0].detach().numpy()\n"
    "except ImportError as error:\n"
    "    print('missing', error)\n"
    "    sys.exit()\n"
    "data = open(arrays, 'rb').read()\n"
    "at = 0\n"
    "while at < len(data):\n"
    "    rank, = struct.unpack_from('<q', data, at)\n"
    "    sizes = struct.unpack_from('<%dq' % rank, data, at + 8)\n"
    "    x = numpy.frombuffer(data, '<f4', int(numpy.prod(sizes)), at + 8 + 8 * rank)\n"
    "    at += 8 + 8 * rank + x.nbytes\n"
    "    print('answer', *answer(x.reshape(sizes).copy()).ravel().tolist())\n";

typedef struct verifier {
    dv_model *model;
    const dv_export_options *options;
    dv_session *session;
    dv_frontend *bands; /* where the file takes mel bands; else NULL */
    FILE *arrays;
    size_t classes;
    float *expected; /* (MOST_SOUNDS, classes) */
    size_t answers;  /* that the runtime has given */
    bool damaged;    /* one of them is no list of probabilities */
    char missing[256];
    dv_verification *out;
} verifier;

/* ---- What the file is given ---- */

static dv_status write_array(verifier *v, const float *values, const int64_t *sizes, int rank)
{
    int64_t axes = rank;
    size_t count = 1;
    for (int axis = 0; axis < rank; axis++)
        count *= (size_t)sizes[axis];
    if (fwrite(&axes, sizeof axes, 1, v->arrays) != 1 ||
        fwrite(sizes, sizeof *sizes, (size_t)rank, v->arrays) != (size_t)rank ||
        fwrite(values, sizeof *values, count, v->arrays) != count)
        return DV_FAIL(DV_EIO, "the sounds to verify with cannot be written");
    return DV_OK;
}

/* Work space of a front-end, and what it has made of a clip; freed by drop_made. */
typedef struct made {
    float *clip, *window, *features;
    void *scratch;
} made;

static void drop_made(made *m)
{
    free(m->clip);
    free(m->window);
    free(m->features);
    free(m->scratch);
}

/* The window and the features of the samples (count). */
static dv_status make_features(const dv_frontend *frontend, const float *samples, int64_t count,
                               made *out)
{
    size_t window = (size_t)dv_frontend_samples(frontend);
    size_t scratch = (dv_frontend_scratch(frontend) + 63) / 64 * 64;
    size_t features = (size_t)dv_frontend_rows(frontend) * (size_t)dv_frontend_frames(frontend);
    *out = (made){.clip = malloc((size_t)count * sizeof(float)),
                  .window = malloc(window * sizeof(float)),
                  .features = malloc(features * sizeof(float)),
                  .scratch = aligned_alloc(64, scratch)};
    if (out->clip == NULL || out->window == NULL || out->features == NULL || out->scratch == NULL) {
        drop_made(out);
        return DV_FAIL(DV_ENOMEM, "no memory for the features of %" PRId64 " samples", count);
    }
    memcpy(out->clip, samples, (size_t)count * sizeof *samples);
    int64_t centre = dv_frontend_prepare(frontend, out->clip, count);
    dv_frontend_cut(frontend, out->clip, count, centre, 0, 1, out->window);
    dv_frontend_compute(frontend, out->window, out->features, out->scratch);
    return DV_OK;
}

/* The features that `frontend` makes of the samples (count). */
static dv_status write_features(verifier *v, const dv_frontend *frontend, const float *samples,
                                int64_t count)
{
    made m;
    int64_t sizes[] = {1, dv_frontend_rows(frontend), dv_frontend_frames(frontend)};
    DV_TRY(make_features(frontend, samples, count, &m));
    dv_status status = write_array(v, m.features, sizes, 3);
    drop_made(&m);
    return status;
}

/* The model's front-end up to the bands in decibels. */
static dv_status create_bands(const dv_model *model, dv_frontend **out)
{
    dv_features_config config = *dv_frontend_config(dv_model_frontend(model));
    if (config.type == DV_FEATURES_MFCC)
        config.type = DV_FEATURES_MEL;
    config.mean = config.deviation = DV_OVER_NONE;
    config.top_db = 0;
    return dv_frontend_create(&config, out);
}

static dv_status answer(verifier *v, const float *samples, int64_t count)
{
    dv_sound sound = {
        .samples = samples, .count = (size_t)count, .sample_rate = dv_model_sample_rate(v->model)};
    DV_TRY(dv_session_sound(v->session, &sound, v->expected + v->out->sounds * v->classes, NULL));
    v->out->sounds++;
    return DV_OK;
}

/* What the model sees of a sound becomes the sound: at a window's ends the bands of a longer one
   are others, and mel bands have no part in removing DC. */
static dv_status add_window(verifier *v, const float *samples, int64_t count)
{
    made seen, again;
    int64_t size = dv_frontend_samples(v->bands);
    DV_TRY(make_features(v->bands, samples, count, &seen));
    dv_status status = make_features(v->bands, seen.window, size, &again);
    if (status == DV_OK) {
        status = answer(v, again.window, size);
        if (status == DV_OK)
            status = write_features(v, v->bands, again.window, size);
        drop_made(&again);
    }
    drop_made(&seen);
    return status;
}

/* A sound at the model's rate: decavox's answer, and what the file is given. */
static dv_status add_sound(verifier *v, const float *samples, int64_t count)
{
    if (v->bands != NULL)
        return add_window(v, samples, count);
    DV_TRY(answer(v, samples, count));
    if (v->options->input == DV_EXPORT_FEATURES)
        return write_features(v, dv_model_frontend(v->model), samples, count);
    return write_array(v, samples, (const int64_t[]){1, count}, 2);
}

/* ---- Sounds ---- */

/* Noises that swell, from 0.1 to 2 s. */
static dv_status add_noises(verifier *v)
{
    int64_t rate = dv_model_sample_rate(v->model);
    float *samples;
    DV_TRY(dv_calloc((size_t)(2 * rate), sizeof *samples, &samples));
    dv_status status = DV_OK;
    for (int i = 0; status == DV_OK && i < NOISES; i++) {
        dv_rng rng = {.seed = 1, .use = DV_RNG_TEST, .step = (uint64_t)i};
        int64_t count = rate / 10 + i * (19 * rate / 10) / (NOISES - 1);
        for (int64_t k = 0; k < count; k++)
            samples[k] = (float)(0.2 * (dv_rng_uniform(&rng, (uint32_t)k) - 0.5) *
                                 sin(3.14 * (double)k / (double)count));
        status = add_sound(v, samples, count);
    }
    free(samples);
    return status;
}

static dv_status add_file(verifier *v, const char *folder, const char *name)
{
    char path[PATH_SIZE];
    dv_audio audio;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return DV_FAIL(DV_EIO, "the path '%s/%s' is too long", folder, name);
    DV_TRY(dv_audio_read(path, dv_model_sample_rate(v->model), LONGEST, NULL, &audio));
    dv_status status = add_sound(v, audio.samples, audio.count);
    dv_audio_free(&audio);
    return status;
}

/* Files of the folder and of those in it, evenly over all where there are more than enough. */
static dv_status add_files(verifier *v, const char *folder)
{
    dv_sound_folder found = {0};
    dv_status status = dv_sound_folder_read(folder, &found);
    size_t step = found.sound_count / MOST_SOUNDS + 1;
    for (size_t i = 0; status == DV_OK && i < found.sound_count && v->out->sounds < MOST_SOUNDS;
         i += step)
        status = add_file(v, folder, found.sounds[i]);
    for (size_t i = 0; status == DV_OK && i < found.folder_count && v->out->sounds < MOST_SOUNDS;
         i++) {
        char path[PATH_SIZE];
        if (snprintf(path, sizeof path, "%s/%s", folder, found.folders[i]) < (int)sizeof path)
            status = add_files(v, path);
    }
    dv_sound_folder_free(&found);
    return status;
}

/* ---- The runtime's answers ---- */

/* A line of probabilities: how far they are from decavox's, and whether the word is the same. */
static void take_answer(verifier *v, const char *numbers)
{
    if (v->answers++ >= v->out->sounds)
        return;
    const float *expected = v->expected + (v->answers - 1) * v->classes;
    size_t word = 0, expected_word = 0;
    double highest = -1;
    for (size_t k = 0; k < v->classes; k++) {
        char *end;
        double value = strtod(numbers, &end);
        v->damaged = v->damaged || end == numbers;
        numbers = end;
        double difference = fabs(value - (double)expected[k]);
        if (!(difference <= v->out->difference)) /* a NaN is the largest */
            v->out->difference = difference;
        word = value > highest ? k : word;
        highest = value > highest ? value : highest;
        expected_word = expected[k] > expected[expected_word] ? k : expected_word;
    }
    v->out->same_word += word == expected_word;
}

static void take_line(void *user, const char *line)
{
    verifier *v = user;
    if (strncmp(line, "runtime ", 8) == 0)
        snprintf(v->out->runtime, sizeof v->out->runtime, "%s", line + 8);
    else if (strncmp(line, "missing ", 8) == 0)
        snprintf(v->missing, sizeof v->missing, "%s", line + 8);
    else if (strncmp(line, "answer ", 7) == 0)
        take_answer(v, line + 7);
}

/* What has come of it, as one status. */
static dv_status judge(const verifier *v, const char *path, const char *python)
{
    const dv_verification *out = v->out;
    double limit = v->options->half ? most_of_half : most;
    if (v->missing[0] != '\0')
        return DV_FAIL(DV_EUNSUPPORTED,
                       "'%s' is written and not verified: %s says \"%s\"; install what is missing, "
                       "or name a Python that has it with --python",
                       path, python, v->missing);
    if (v->damaged)
        return DV_FAIL(DV_EIO,
                       "'%s' is not verified: %s gave an answer that is not %zu probabilities",
                       path, python, v->classes);
    if (v->answers > out->sounds)
        return DV_FAIL(DV_EIO, "'%s' is not verified: %s gave more than %zu answers", path, python,
                       out->sounds);
    if (v->answers < out->sounds)
        return DV_FAIL(DV_EIO, "'%s' is not verified: %s gave %zu answers to %zu sounds", path,
                       python, v->answers, out->sounds);
    if (out->same_word != out->sounds || !(out->difference <= limit))
        return DV_FAIL(DV_ENUMERIC,
                       "'%s' is written, but in %s it gives the same word for %zu of %zu sounds, "
                       "and probabilities that differ by up to %.2g, more than %g",
                       path, out->runtime, out->same_word, out->sounds, out->difference, limit);
    return DV_OK;
}

static dv_status run_python(verifier *v, const char *path, const char *python, const char *arrays)
{
    const char *const argv[] = {"env", python, "-c", script, v->options->form->name,
                                path,  arrays, NULL};
    const dv_child child = {
        .name = python, .program = "/usr/bin/env", .argv = argv, .user = v, .take = take_line};
    DV_TRY(dv_child_run(&child));
    return judge(v, path, python);
}

static dv_status run(verifier *v, const char *path, const char *python, const char *data,
                     const char *arrays)
{
    DV_TRY(dv_session_create(v->model, NULL, &v->session));
    if (v->options->input == DV_EXPORT_LOG_MEL)
        DV_TRY(create_bands(v->model, &v->bands));
    DV_TRY(dv_calloc(MOST_SOUNDS * v->classes, sizeof *v->expected, &v->expected));
    v->arrays = fopen(arrays, "wbe");
    if (v->arrays == NULL)
        return DV_FAIL(DV_EIO, "cannot write '%s'", arrays);
    DV_TRY(data != NULL ? add_files(v, data) : add_noises(v));
    if (v->out->sounds == 0)
        return DV_FAIL(DV_EARG, "'%s' has no sound files to verify with", data);
    bool written = fclose(v->arrays) == 0;
    v->arrays = NULL;
    if (!written)
        return DV_FAIL(DV_EIO, "cannot write '%s'", arrays);
    return run_python(v, path, python, arrays);
}

dv_status dv_export_verify(dv_model *model, const dv_export_options *options, const char *path,
                           const char *python, const char *data, dv_verification *out)
{
    char folder[PATH_SIZE], arrays[PATH_SIZE + 8];
    verifier v = {
        .model = model, .options = options, .classes = dv_model_label_count(model), .out = out};
    *out = (dv_verification){.runtime = ""};
    DV_TRY(dv_temporary_folder(folder, sizeof folder));
    snprintf(arrays, sizeof arrays, "%s/sounds", folder);
    dv_status status = run(&v, path, python, data, arrays);
    if (v.arrays != NULL)
        fclose(v.arrays);
    dv_session_free(v.session);
    dv_frontend_free(v.bands);
    free(v.expected);
    unlink(arrays);
    rmdir(folder);
    return status;
}
