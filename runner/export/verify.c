/* Runs exported files in their runtimes and compares the answers. */
#include "runner/export/verify.h"
#include "engine/base/locale.h"
#include "engine/base/process.h"
#include "engine/base/rng.h"
#include "engine/base/temporary.h"
#include "frontends/audio/audio.h"
#include "frontends/model/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOISES = 20, PATH_SIZE = 1024, LONGEST = 60 /* s */ };

static const double most = 1e-3, most_of_half = 2e-2; /* limits of a probability's difference */

/*
 * The Python program. It reads arrays from a file, each as number of axes, sizes and FP32 values,
 * and prints the name of the runtime, then the probabilities of each array, one per line.
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
    "    for value in answer(x.reshape(sizes).copy()).ravel().tolist():\n"
    "        print('answer', value)\n";

typedef struct verifier {
    dv_model *model;
    const dv_export_wanted *wanted;
    dv_session *session;
    dv_frontend *bands; /* front-end for mel bands; NULL unless the file takes them */
    FILE *arrays;
    size_t classes, batch;
    float *expected;  /* (sounds, classes) */
    size_t values;    /* probabilities received so far, of (sounds, batch, classes) */
    double highest;   /* highest probability of the current clip */
    size_t word;      /* its index */
    bool damaged;     /* a line was not a number */
    bool same_so_far; /* the word of the current sound was right in every place of the batch */
    char missing[256];
    dv_verification *out;
} verifier;

/* ---- Inputs of the file ---- */

/* Writes the values of a clip, repeated to fill the batch. `sizes` are those behind the batch. */
static dv_status write_array(verifier *v, const float *values, const int64_t *sizes, int rank)
{
    int64_t head[1 + DV_PROGRAM_AXES] = {rank + 1, (int64_t)v->batch};
    size_t count = 1, axes = (size_t)rank + 2;
    for (int axis = 0; axis < rank; axis++) {
        head[2 + axis] = sizes[axis];
        count *= (size_t)sizes[axis];
    }
    bool written = fwrite(head, sizeof *head, axes, v->arrays) == axes;
    for (size_t i = 0; written && i < v->batch; i++)
        written = fwrite(values, sizeof *values, count, v->arrays) == count;
    return written ? DV_OK : DV_FAIL(DV_EIO, "the sounds to verify with cannot be written");
}

/* The window and the features of a clip, and scratch memory; freed by drop_made. */
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

/* Makes the window and the features of `count` samples. */
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
        return DV_FAIL(DV_ENOMEM, "out of memory: the features of %" PRId64 " samples", count);
    }
    memcpy(out->clip, samples, (size_t)count * sizeof *samples);
    int64_t centre = dv_frontend_prepare(frontend, out->clip, count);
    dv_frontend_cut(frontend, out->clip, count, centre, 0, 1, out->window);
    dv_frontend_compute(frontend, out->window, out->features, out->scratch);
    return DV_OK;
}

/* Writes the features that `frontend` makes of `count` samples. */
static dv_status write_features(verifier *v, const dv_frontend *frontend, const float *samples,
                                int64_t count)
{
    made m;
    int64_t sizes[] = {dv_frontend_rows(frontend), dv_frontend_frames(frontend)};
    DV_TRY(make_features(frontend, samples, count, &m));
    dv_status status = write_array(v, m.features, sizes, 2);
    drop_made(&m);
    return status;
}

/* Creates the model's front-end up to the bands in decibels. */
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

/* Adds the window of a sound in place of the sound. At the window's ends the bands of a longer
   sound would differ, and mel bands are taken after the removal of DC. */
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

/* Adds a sound at the model's rate: decavox's answer, and the input of the file. */
static dv_status add_sound(verifier *v, const float *samples, int64_t count)
{
    if (v->bands != NULL)
        return add_window(v, samples, count);
    DV_TRY(answer(v, samples, count));
    if (v->wanted->input == DV_EXPORT_FEATURES)
        return write_features(v, dv_model_frontend(v->model), samples, count);
    return write_array(v, samples, &count, 1);
}

/* ---- Sounds ---- */

/* Adds swelling noises of 0.1 to 2 s. */
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

/* Adds a sound file, and skips one that cannot be read. */
static dv_status add_file(verifier *v, const char *path)
{
    dv_audio audio;
    dv_status status = dv_audio_read(path, dv_model_sample_rate(v->model), LONGEST, NULL, &audio);
    if (status == DV_EIO || status == DV_EFORMAT) {
        v->out->left_out++;
        return DV_OK;
    }
    DV_TRY(status);
    status = add_sound(v, audio.samples, audio.count);
    dv_audio_free(&audio);
    return status;
}

static dv_status add_files(verifier *v, const dv_verify_sounds *sounds)
{
    for (size_t i = 0; i < sounds->count; i++)
        DV_TRY(add_file(v, sounds->paths[i]));
    if (v->out->sounds == 0)
        return DV_FAIL(DV_EIO, "none of the %zu sound files can be read: %s", sounds->count,
                       dv_error_message());
    return DV_OK;
}

/* ---- The runtime's answers ---- */

/* Compares the word of a complete clip with decavox's. A sound counts as equal if its word is in
   every place of the batch. */
static void end_clip(verifier *v, const float *expected)
{
    size_t place = v->values / v->classes - 1, word = 0;
    for (size_t k = 1; k < v->classes; k++)
        word = expected[k] > expected[word] ? k : word;
    if (place % v->batch == 0)
        v->same_so_far = true;
    v->same_so_far = v->same_so_far && v->word == word;
    if (place % v->batch == v->batch - 1)
        v->out->same_word += v->same_so_far;
}

/* Takes the next probability and compares it with decavox's. */
static void take_value(verifier *v, const char *text)
{
    char *end;
    size_t k = v->values % v->classes, sound = v->values / v->classes / v->batch;
    double value = strtod(text, &end);
    v->damaged = v->damaged || end == text;
    v->values++;
    if (sound >= v->out->sounds)
        return;
    const float *expected = v->expected + sound * v->classes;
    double difference = fabs(value - (double)expected[k]);
    if (!(difference <= v->out->difference)) /* NaN counts as the largest */
        v->out->difference = difference;
    if (k == 0 || value > v->highest) {
        v->word = k;
        v->highest = value;
    }
    if (k + 1 == v->classes)
        end_clip(v, expected);
}

static void take_line(void *user, const char *line)
{
    verifier *v = user;
    if (strncmp(line, "runtime ", 8) == 0)
        snprintf(v->out->runtime, sizeof v->out->runtime, "%s", line + 8);
    else if (strncmp(line, "missing ", 8) == 0)
        snprintf(v->missing, sizeof v->missing, "%s", line + 8);
    else if (strncmp(line, "answer ", 7) == 0)
        take_value(v, line + 7);
}

/* Returns the result as one status. */
static dv_status judge(const verifier *v, const char *python)
{
    const dv_verification *out = v->out;
    double limit = v->wanted->half ? most_of_half : most;
    size_t expected = out->sounds * v->batch * v->classes;
    if (v->missing[0] != '\0')
        return DV_FAIL(DV_EUNSUPPORTED,
                       "%s says \"%s\": install what is missing, or name a Python that has it with "
                       "--python",
                       python, v->missing);
    if (v->values != expected || v->damaged)
        return DV_FAIL(
            DV_EIO, "%s answered with %zu numbers and %s, and must answer with %zu probabilities",
            python, v->values, v->damaged ? "some that are no numbers" : "no others", expected);
    if (out->same_word != out->sounds || !(out->difference <= limit))
        return DV_FAIL(DV_ENUMERIC,
                       "the file in %s gives the same word for %zu of %zu sounds, and its "
                       "probabilities differ by up to %.2g, more than %g",
                       out->runtime, out->same_word, out->sounds, out->difference, limit);
    return DV_OK;
}

static dv_status run_python(verifier *v, const char *path, const char *python, const char *arrays)
{
    const char *const argv[] = {python, "-c", script, v->wanted->form->name, path, arrays, NULL};
    const dv_child child = {
        .name = python, .program = python, .argv = argv, .user = v, .take = take_line};
    DV_TRY(dv_child_run(&child));
    return judge(v, python);
}

static dv_status run(verifier *v, const char *path, const char *python,
                     const dv_verify_sounds *sounds, const char *arrays)
{
    size_t most_sounds = sounds->count > NOISES ? sounds->count : NOISES;
    DV_TRY(dv_session_create(v->model, NULL, &v->session));
    if (v->wanted->input == DV_EXPORT_LOG_MEL)
        DV_TRY(create_bands(v->model, &v->bands));
    DV_TRY(dv_calloc(most_sounds * v->classes, sizeof *v->expected, &v->expected));
    v->arrays = fopen(arrays, "wbe");
    if (v->arrays == NULL)
        return DV_FAIL(DV_EIO, "cannot write '%s'", arrays);
    DV_TRY(sounds->count > 0 ? add_files(v, sounds) : add_noises(v));
    bool written = fclose(v->arrays) == 0;
    v->arrays = NULL;
    if (!written)
        return DV_FAIL(DV_EIO, "cannot write '%s'", arrays);
    return run_python(v, path, python, arrays);
}

/* Python reads the inputs from a file, and prints the answers line by line. */
dv_status dv_export_verify(dv_model *model, const dv_export_wanted *wanted, const char *path,
                           const char *python, const dv_verify_sounds *sounds, dv_verification *out)
{
    char folder[PATH_SIZE], arrays[PATH_SIZE + 8];
    verifier v = {.model = model,
                  .wanted = wanted,
                  .classes = dv_model_label_count(model),
                  .batch = wanted->batch > 0 ? (size_t)wanted->batch : 1,
                  .out = out};
    *out = (dv_verification){.runtime = ""};
    DV_TRY(dv_temporary_folder(folder, sizeof folder));
    snprintf(arrays, sizeof arrays, "%s/sounds", folder);
    locale_t before = dv_locale_enter(); /* the answers are numbers */
    dv_status status = run(&v, path, python, sounds, arrays);
    dv_locale_leave(before);
    if (v.arrays != NULL)
        fclose(v.arrays);
    dv_session_free(v.session);
    dv_frontend_free(v.bands);
    free(v.expected);
    unlink(arrays);
    rmdir(folder);
    return status == DV_OK ? DV_OK
                           : dv_fail_within(status, "'%s' is written, but not verified", path);
}
