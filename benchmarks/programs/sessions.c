/*
 * Runs sessions of one model side by side, each in a thread of its own. Every answer must equal
 * that of a session alone, to the bit. Prints one line of JSON with the answers per second of one
 * session alone and of all together.
 *
 *     decavox_bench sessions --sessions 16 --answers 100000 CHECKPOINT
 */
#include "benchmarks/program.h"
#include "engine/base/clock.h"
#include "engine/base/rng.h"
#include "frontends/model/session.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOUNDS = 32 };

typedef struct sessions_options {
    int64_t sessions, answers;
} sessions_options;

static const dv_field fields[] = {
    DV_INT(sessions_options, sessions, "16", 1, 1024, "threads with a session each"),
    DV_INT(sessions_options, answers, "100000", 1, 1000000000, "answers of all sessions together"),
    DV_END,
};

static const dv_options options = {
    .command = "sessions",
    .operands = "CHECKPOINT",
    .summary = "Sessions of one model side by side: answers a second, and whether all are right.",
    .least = 1,
    .most = 1,
    .fields = fields,
};

/* The model and its sounds: one second of noise each, at the model's rate or at twice that. */
typedef struct crowd {
    dv_model *model;
    float *samples;
    dv_sound sounds[SOUNDS];
    float *wanted; /* (SOUNDS, labels), the answers of a session alone */
    int64_t each;  /* answers per session */
} crowd;

/* One session and its thread. `message` is the thread's error message. */
typedef struct listener {
    const crowd *crowd;
    dv_session *session;
    pthread_t thread;
    dv_status status;
    char message[512];
} listener;

static dv_status make_sounds(crowd *c)
{
    int64_t rate = dv_model_sample_rate(c->model);
    size_t most = 2 * (size_t)rate;
    dv_rng rng = {.seed = 1, .use = DV_RNG_TEST};
    DV_TRY(dv_calloc(SOUNDS * most, sizeof *c->samples, &c->samples));
    for (size_t i = 0; i < SOUNDS * most; i++)
        c->samples[i] =
            0.1F * (float)dv_rng_normal(&rng, (uint32_t)i) * ((float)(i % most) / (float)most);
    for (size_t i = 0; i < SOUNDS; i++)
        c->sounds[i] = (dv_sound){.samples = c->samples + i * most,
                                  .count = i % 2 > 0 ? most : most / 2,
                                  .sample_rate = i % 2 > 0 ? 2 * rate : rate};
    return dv_calloc(SOUNDS * dv_model_label_count(c->model), sizeof *c->wanted, &c->wanted);
}

static dv_status listen_to_all(const listener *l)
{
    size_t labels = dv_model_label_count(l->crowd->model);
    float *answer;
    DV_TRY(dv_calloc(labels, sizeof *answer, &answer));
    dv_status status = DV_OK;
    for (int64_t i = 0; status == DV_OK && i < l->crowd->each; i++) {
        int64_t k = i % SOUNDS;
        status = dv_session_sound(l->session, &l->crowd->sounds[k], answer, NULL);
        if (status == DV_OK &&
            memcmp(answer, l->crowd->wanted + (size_t)k * labels, labels * sizeof *answer) != 0)
            status = DV_FAIL(DV_ENUMERIC, "answer %lld differs from that of a session alone",
                             (long long)i);
    }
    free(answer);
    return status;
}

static void *begin(void *of_listener)
{
    listener *l = of_listener;
    l->status = listen_to_all(l);
    if (l->status != DV_OK)
        snprintf(l->message, sizeof l->message, "%s", dv_error_message());
    return NULL;
}

/* Runs `count` sessions at once and sets *rate to the answers per second. */
static dv_status run(listener *all, int64_t count, double *rate)
{
    dv_status status = DV_OK;
    int64_t made = 0;
    double start = dv_clock();
    for (; made < count && status == DV_OK; made += status == DV_OK) {
        if (pthread_create(&all[made].thread, NULL, begin, &all[made]) != 0)
            status = DV_FAIL(DV_ESYSTEM, "thread %lld cannot be made", (long long)made);
    }
    for (int64_t i = 0; i < made; i++) {
        pthread_join(all[i].thread, NULL);
        if (status == DV_OK && all[i].status != DV_OK)
            status = dv_fail(all[i].status, "session %lld: %s", (long long)i, all[i].message);
    }
    *rate = (double)(count * all[0].crowd->each) / (dv_clock() - start);
    return status;
}

/* The first session gives the wanted answers and is timed alone; then all sessions are timed. */
static dv_status measure(crowd *c, listener *all, const sessions_options *chosen)
{
    double alone, together;
    for (int64_t i = 0; i < chosen->sessions; i++) {
        all[i].crowd = c;
        DV_TRY(dv_session_create(c->model, NULL, &all[i].session));
    }
    DV_TRY(dv_session_sounds(all[0].session, c->sounds, SOUNDS, c->wanted, NULL, NULL));
    DV_TRY(run(all, 1, &alone));
    DV_TRY(run(all, chosen->sessions, &together));
    printf("{\"sessions\": %lld, \"answers\": %lld, \"alone_per_s\": %.0f, \"together_per_s\": "
           "%.0f, \"ratio\": %.2f}\n",
           (long long)chosen->sessions, (long long)(c->each * chosen->sessions), alone, together,
           together / alone);
    return DV_OK;
}

static dv_status serve(const dv_arguments *arguments, const void *read)
{
    const sessions_options *chosen = read;
    crowd c = {.each = (chosen->answers + chosen->sessions - 1) / chosen->sessions};
    listener *all = NULL;
    DV_TRY(dv_model_open(arguments->operands[0], NULL, &c.model));
    dv_status status = make_sounds(&c);
    if (status == DV_OK)
        status = dv_calloc((size_t)chosen->sessions, sizeof *all, &all);
    if (status == DV_OK)
        status = measure(&c, all, chosen);
    for (int64_t i = 0; all != NULL && i < chosen->sessions; i++)
        dv_session_free(all[i].session);
    free(all);
    free(c.samples);
    free(c.wanted);
    dv_model_close(c.model);
    return status;
}

int program_sessions(int argc, char **argv)
{
    sessions_options chosen;
    return program_run(&options, argc, argv, &chosen, serve);
}
