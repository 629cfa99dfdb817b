/*
 * Frozen parts of a model do not change, and compute as in inference.
 *
 *     test_frozen [DEVICE]     on ref and cpu, or on the backend of a module
 */
#include "engine/backends/open.h"
#include "engine/optimizer/optimizer.h"
#include "tests/support/each_backend.h"
#include "tests/support/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Parameters ---- */

static void require_moved(const trial *seen, const float *before, const char *name, bool moved)
{
    int64_t count;
    const dv_params *params = dv_trainer_params(seen->trainer);
    for (int i = 0; strcmp(params->items[i].name, name) != 0; i++)
        before += params->items[i].count;
    float *after = trial_read_one(seen, name, DV_BUFFER_VALUES, &count);
    if ((memcmp(before, after, (size_t)count * sizeof *after) != 0) != moved)
        fail_msg("%s %s", name, moved ? "has not moved" : "has moved");
    free(after);
}

static void train_frozen(const dv_backend *backend, const char *patterns, const bool moved[7])
{
    static const char *const names[] = {"conv.weight", "conv.bias",         "norm.weight",
                                        "norm.bias",   "norm.running_mean", "norm.running_var",
                                        "head.weight"};
    trial seen;
    int64_t count;
    trial_open(&seen, backend, trial_normed_model, 8, 4);
    trial_freeze(&seen, patterns);
    seen.task.config.weight_decay = 0.5;
    seen.task.config.ema_decay = 0.5;
    must(trial_create(&seen));
    float *before = trial_read_all(&seen, DV_BUFFER_VALUES, &count);
    must(trial_go(&seen));
    for (int i = 0; i < 7; i++)
        require_moved(&seen, before, names[i], moved[i]);
    free(before);
    trial_close(&seen);
}

static void freezes(const dv_backend *backend)
{
    train_frozen(backend, "[\"conv.*\", \"norm.*\"]",
                 (const bool[7]){false, false, false, false, false, false, true});
    train_frozen(backend, "norm.weight",
                 (const bool[7]){true, true, false, true, false, false, true});
    train_frozen(backend, "[\"*.bias\", \"head.*\"]",
                 (const bool[7]){true, false, true, false, true, true, false});
}

/* The gradient passes a frozen norm as it passes constants, like on the reference. */
static void passes_a_frozen_norm(const dv_backend *backend)
{
    const dv_backend *const backends[] = {&dv_backend_ref, backend};
    double losses[2], norms[2];
    for (int i = 0; i < 2; i++) {
        trial seen;
        trial_open(&seen, backends[i], trial_normed_model, 8, 0);
        trial_freeze(&seen, "[\"norm.*\"]");
        trial_whole(&seen);
        losses[i] = trial_last(&seen)->train_loss;
        norms[i] = trial_last(&seen)->gradient_norm;
        trial_close(&seen);
    }
    trial_require_near(losses[1], losses[0], 1e-4);
    trial_require_near(norms[1], norms[0], 1e-3);
}

/* The norm is that of the trained parameters: one step of plain gradient descent at rate 1 moves by
   it. */
static void norm_is_of_what_is_trained(const dv_backend *backend)
{
    double norms[2];
    for (int i = 0; i < 2; i++) {
        trial seen;
        int64_t count;
        trial_open(&seen, backend, trial_plain_model, 8, 0);
        if (i == 1)
            trial_freeze(&seen, "hidden.*");
        seen.task.config.optimizer = DV_SGD;
        seen.task.config.beta1 = seen.task.config.weight_decay = 0;
        seen.task.config.clip_norm = 0;
        seen.task.config.learning_rate = 1;
        seen.task.config.max_steps = 1;
        must(trial_create(&seen));
        float *before = trial_read_all(&seen, DV_BUFFER_VALUES, &count);
        must(trial_go(&seen));
        float *after = trial_read_all(&seen, DV_BUFFER_VALUES, &count);
        norms[i] = trial_last(&seen)->gradient_norm;
        trial_require_near(trial_distance(before, after, count), norms[i], 1e-4);
        free(before);
        free(after);
        trial_close(&seen);
    }
    assert_true(norms[1] > 0 && norms[1] < 0.99 * norms[0]);
}

static void refuses_to_freeze(const dv_backend *backend)
{
    static const char *const patterns[] = {"[\"convolution.*\"]", "[[1]]", "\"*\""};
    static const char *const parts[] = {"no parameter is called 'convolution.*'",
                                        "expected a list of patterns", "nothing is left to train"};
    for (int i = 0; i < 3; i++) {
        trial seen;
        trial_open(&seen, backend, trial_normed_model, 8, 0);
        trial_freeze(&seen, patterns[i]);
        require_refused(trial_create(&seen), DV_ECONFIG, parts[i]);
        assert_null(seen.trainer);
        trial_close(&seen);
    }
}

/* ---- Dropout ---- */

/* The loss of the first step. `rate` is that of the dropout between `first` and `second`, or before
   `first`. */
static double first_loss(const dv_backend *backend, const char *model, const char *rate,
                         const char *patterns)
{
    trial seen;
    char text[512];
    snprintf(text, sizeof text, model, rate);
    trial_open(&seen, backend, text, 8, 0);
    if (patterns != NULL)
        trial_freeze(&seen, patterns);
    seen.task.config.max_steps = 1;
    trial_whole(&seen);
    double loss = trial_last(&seen)->train_loss;
    trial_close(&seen);
    return loss;
}

#define FIRST "  - linear: {units: 16, activation: tanh, name: first}\n"
#define LAST                                                                                       \
    "  - linear: {units: 12, activation: tanh, name: second}\n"                                    \
    "  - linear: {units: classes, name: head}\n"

/* Dropout is on if a layer before it, or the layer that reads it, is trained. It is off between
   frozen layers. */
static void drops_for_what_is_trained(const dv_backend *backend)
{
    static const char within[] = "layers:\n  - flatten:\n" FIRST
                                 "  - dropout: {rate: %s}\n  - activation: {kind: relu}\n" LAST;
    static const char before[] = "layers:\n  - flatten:\n  - dropout: {rate: %s}\n" FIRST LAST;
    static const struct {
        const char *model, *patterns;
        bool drops;
    } cases[] = {
        {within, NULL, true},
        {within, "[\"first.*\"]", true}, /* a frozen body, a new head with its dropout */
        {within, "[\"second.*\"]", true},
        {within, "[\"first.*\", \"second.*\"]", false},
        {before, NULL, true},
        {before, "[\"second.*\"]", true},
        {before, "[\"first.*\"]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double with = first_loss(backend, cases[i].model, "0.8", cases[i].patterns);
        double without = first_loss(backend, cases[i].model, "0", cases[i].patterns);
        if ((with != without) != cases[i].drops)
            fail_msg("case %zu: loss %.9g with dropout, %.9g without", i, with, without);
    }
}

static void copy_parameter(trial *seen, const char *from, const char *to)
{
    int64_t count;
    float *values = trial_read_one(seen, from, DV_BUFFER_VALUES, &count);
    dv_params *params = dv_trainer_params(seen->trainer);
    must(dv_params_write(params, dv_params_find(params, to), DV_BUFFER_VALUES, values));
    free(values);
}

/* An ensemble of one model twice, once with dropout, gives both the same share: without dropout
   they are equal. */
static void mixes_twins_alike(const dv_backend *backend)
{
#define TWIN(name, rate)                                                                           \
    "{name: " name ", layers: [flatten, linear: {units: 12, activation: tanh, name: hidden}, "     \
    "dropout: {rate: " rate "}, linear: {units: classes, name: head}]}"
    static const char model[] =
        "layers:\n  - ensemble: {models: [" TWIN("a", "0") ", " TWIN("b", "0.8") "], name: mix}\n";
    static const char *const names[] = {"hidden.weight", "hidden.bias", "head.weight", "head.bias"};
    trial seen;
    int64_t count;
    trial_open(&seen, backend, model, 16, 0);
    trial_freeze(&seen, "[\"a.*\", \"b.*\"]");
    seen.task.config.optimizer = DV_SGD; /* Adam would enlarge roundings */
    seen.task.config.learning_rate = 0.5;
    must(trial_create(&seen));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char from[32], to[32];
        snprintf(from, sizeof from, "a.%s", names[i]);
        snprintf(to, sizeof to, "b.%s", names[i]);
        copy_parameter(&seen, from, to);
    }
    must(trial_go(&seen));
    float *mix = trial_read_one(&seen, "mix.weight", DV_BUFFER_VALUES, &count);
    assert_int_equal(count, 2);
    double share = 1 / (1 + exp((double)mix[1] - (double)mix[0]));
    if (!(fabs(share - 0.5) < 1e-5))
        fail_msg("shares %g and %g", share, 1 - share);
    free(mix);
    trial_close(&seen);
}

/* ---- The list of tests ---- */

int main(int argc, char **argv)
{
    static const backend_test each[] = {
        {"frozen parameters", freezes},
        {"through a frozen norm", passes_a_frozen_norm},
        {"the norm without the frozen", norm_is_of_what_is_trained},
        {"what cannot be frozen", refuses_to_freeze},
        {"dropout where something is trained", drops_for_what_is_trained},
        {"the mix of twins", mixes_twins_alike},
    };
    tested_backends backends;
    int status;
    if (!open_backends(argc, argv, &backends, &status))
        return status;
    return run_on_each("frozen", &backends, each, sizeof each / sizeof each[0]);
}
